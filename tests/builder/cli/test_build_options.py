"""Options that are refused before anything is looked at."""

import pytest
from click.testing import CliRunner

from builder.cli.build import build_command


@pytest.mark.parametrize("platform", ["linux/arm", "linux/arm/v7", "arm64", "windows/amd64", ""])
def test_a_platform_that_lambda_does_not_have_is_a_mistake_of_the_command_line(tmp_path, platform):
    done = CliRunner().invoke(build_command, [str(tmp_path), "--platform", platform])
    assert done.exit_code == 2
    assert f"{platform!r} is none of Lambda's platforms, linux/amd64 and linux/arm64." in done.output
