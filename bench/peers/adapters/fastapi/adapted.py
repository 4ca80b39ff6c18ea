"""The application as AWS's runtime client calls one."""

from app import app
from mangum import Mangum

handler = Mangum(app)
