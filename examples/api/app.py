"""A small web site and API on FastAPI: beer casks and what they hold.

The app itself is the handler: the runtime turns the event of a function URL, or of an API Gateway HTTP API, into a
request for it, and its response into the answer. It is a plain ASGI app: `uvicorn app:app` serves it too.
"""

from typing import Annotated, Literal

from fastapi import FastAPI, HTTPException, Query, status
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

CaskName = Literal["pin", "firkin", "kilderkin", "barrel", "hogshead"]
PINTS: dict[CaskName, int] = {"pin": 36, "firkin": 72, "kilderkin": 144, "barrel": 288, "hogshead": 432}

PAGE = """\
<!doctype html>
<html lang="en">
<title>Casks</title>
<h1>Casks</h1>
<table><thead><tr><th>Cask<th>Pints</thead><tbody id="casks"></tbody></table>
<script>
  fetch("casks").then(response => response.json()).then(casks => {
    for (const cask of casks) {
      const row = document.getElementById("casks").insertRow();
      row.insertCell().textContent = cask.name;
      row.insertCell().textContent = cask.pints;
    }
    document.title = `${casks.length} casks`;
  });
</script>
</html>
"""

app = FastAPI(title="Casks", version="1.0.0")


class Cask(BaseModel):
    """A cask and what it holds, in imperial pints."""

    name: str
    pints: int


class Order(BaseModel):
    """So many casks of one kind."""

    cask: CaskName
    count: Annotated[int, Field(ge=1, le=99)]


class Receipt(Order):
    """An order and how much beer it is."""

    pints: int


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
async def show_page() -> str:
    """Show the casks to people."""
    return PAGE


@app.get("/casks")
async def list_casks(min_pints: Annotated[int, Query(ge=0)] = 0) -> list[Cask]:
    """List the casks that hold at least so much, the smallest first."""
    return [Cask(name=name, pints=pints) for name, pints in PINTS.items() if pints >= min_pints]


@app.get("/casks/{name}")
async def get_cask(name: str) -> Cask:
    """Describe one cask."""
    for cask in await list_casks():
        if cask.name == name:
            return cask
    raise HTTPException(status.HTTP_404_NOT_FOUND, f"no cask is called {name!r}; GET /casks lists them")


@app.post("/orders", status_code=status.HTTP_201_CREATED)
async def place_order(order: Order) -> Receipt:
    """Work out how much beer an order is."""
    return Receipt(cask=order.cask, count=order.count, pints=order.count * PINTS[order.cask])
