"""An HTTP API: validation, dependencies, forms and files, cookies, documents, errors."""

import datetime as dt
import decimal
import enum
import uuid
from typing import Annotated

from fastapi import Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Query, Response, UploadFile
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import AnyHttpUrl, BaseModel, EmailStr, Field, SecretStr, field_validator, model_validator

app = FastAPI(title="Casks", version="1.0")


class Wood(enum.StrEnum):
    """What casks are made of."""

    OAK = "oak"
    PINE = "pine"


class Order(BaseModel):
    """An order with most kinds of fields."""

    id: uuid.UUID | None = None
    wood: Wood
    units: int = Field(gt=0, le=100)
    price: decimal.Decimal = decimal.Decimal("1.5")
    day: dt.date | None = None
    mail: EmailStr | None = None
    site: AnyHttpUrl | None = None
    secret: SecretStr | None = None

    @field_validator("day")
    @classmethod
    def not_a_sunday(cls, day):
        if day and day.weekday() == 6:
            raise ValueError("closed on Sundays")
        return day

    @model_validator(mode="after")
    def pine_is_small(self):
        if self.wood is Wood.PINE and self.units > 10:
            raise ValueError("at most 10 of pine")
        return self


def page(limit: Annotated[int, Query(ge=1, le=50)] = 10):
    return {"limit": limit}


@app.get("/casks")
async def casks(paging: Annotated[dict, Depends(page)], wood: Wood | None = None):
    return {"wood": wood, **paging}


@app.get("/casks/{number}")
def cask(number: int, agent: Annotated[str, Header(alias="user-agent")] = "none"):
    if number > 9:
        raise HTTPException(404, detail={"number": number}, headers={"x-reason": "unknown"})
    return {"number": number, "agent": agent}


@app.post("/orders", status_code=201)
def order(wanted: Order) -> Order:
    return wanted


@app.post("/form")
async def form(name: Annotated[str, Form()], files: Annotated[list[UploadFile], File()]):
    return {"name": name, "files": [[file.filename, len(await file.read()), file.content_type] for file in files]}


@app.get("/visits")
def visits(response: Response, visits: Annotated[int, Cookie()] = 0):
    response.set_cookie("visits", str(visits + 1), httponly=True)
    return {"visits": visits}


@app.get("/text", response_class=PlainTextResponse)
def text():
    return "plain"


@app.get("/html", response_class=HTMLResponse)
def html():
    return "<p>oak</p>"


@app.get("/old")
def old():
    return RedirectResponse("/casks")


@app.get("/stream")
def stream():
    return StreamingResponse(iter(["a", "b"]), media_type="text/csv")


handler = app
