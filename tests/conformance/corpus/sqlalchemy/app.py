"""A database by two drivers: sqlite in memory, and PostgreSQL's statements compiled without a server."""

import datetime as dt
import decimal

import sqlalchemy as sa
from sqlalchemy import event as events
from sqlalchemy import orm


class Base(orm.DeclarativeBase):
    pass


class Cask(Base):
    __tablename__ = "cask"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    wood: orm.Mapped[str] = orm.mapped_column(sa.String(20), index=True)
    price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(10, 2), default=1)
    made: orm.Mapped[dt.date | None]
    fills: orm.Mapped[list["Fill"]] = orm.relationship(back_populates="cask", cascade="all, delete-orphan")


class Fill(Base):
    __tablename__ = "fill"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    cask_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("cask.id"))
    about: orm.Mapped[dict] = orm.mapped_column(sa.JSON)
    cask: orm.Mapped[Cask] = orm.relationship(back_populates="fills")


def filled():
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    session = orm.Session(engine)
    session.add(Cask(wood="oak", price="12.50", made=dt.date(2026, 1, 2), fills=[Fill(about={"litres": 50})]))
    session.add(Cask(wood="pine", fills=[Fill(about={"litres": 30}), Fill(about={"litres": 20})]))
    session.commit()
    return session


def count(event):
    with filled() as session:
        return session.scalar(sa.select(sa.func.count()).where(Cask.wood == event["wood"]))


def join(event):
    load = getattr(orm, event["load"])
    with filled() as session:
        found = session.scalars(sa.select(Cask).options(load(Cask.fills)).order_by(Cask.id)).unique()
        return [
            [
                cask.wood,
                str(cask.price),
                cask.made and cask.made.isoformat(),
                [fill.about["litres"] for fill in cask.fills],
            ]
            for cask in found
        ]


def statement(event):
    engine = sa.create_engine(event["url"])
    text = sa.select(Cask.id, sa.func.sum(Cask.price)).where(Cask.wood.ilike("o%")).group_by(Cask.id).limit(3)
    return [engine.dialect.name, engine.dialect.driver, " ".join(str(text.compile(engine)).split())]


def table(event):
    import importlib

    dialect = importlib.import_module(f"sqlalchemy.dialects.{event['dialect']}").dialect()
    return " ".join(str(sa.schema.CreateTable(Fill.__table__).compile(dialect=dialect)).split())


def inspect(event):
    with filled() as session:
        found = sa.inspect(session.get_bind())
        return [
            found.get_table_names(),
            [column["name"] for column in found.get_columns("cask")],
            found.get_foreign_keys("fill")[0]["referred_table"],
        ]


def window(event):
    with filled() as session:
        ranked = sa.func.row_number().over(order_by=Cask.wood.desc())
        cte = sa.select(Cask.wood, ranked.label("n")).cte("ranked")
        return [list(row) for row in session.execute(sa.select(cte).order_by(cte.c.n))]


def integrity(event):
    with filled() as session:
        session.add(Cask(id=1, wood="ash"))
        try:
            session.commit()
        except sa.exc.IntegrityError as error:
            session.rollback()
            return [type(error).__name__, type(error.orig).__name__]
    return None


def hooks(event):
    seen = []
    with filled() as session:
        events.listen(session, "before_commit", lambda session: seen.append("commit"))
        session.execute(sa.update(Cask).values(price=2).where(Cask.id == 1))
        session.commit()
        return [seen, str(session.get(Cask, 1).price)]


def pool(event):
    engine = sa.create_engine("sqlite://", poolclass=getattr(sa.pool, event["pool"]))
    with engine.connect() as connection:
        return [type(engine.pool).__name__, connection.execute(sa.text("select 1 + :x"), {"x": 2}).scalar()]


def unknown(event):
    try:
        sa.create_engine("nonesuch://")
    except sa.exc.NoSuchModuleError as error:
        return str(error)
    return None


def handler(event, context):
    actions = (count, join, statement, table, inspect, window, integrity, hooks, pool, unknown)
    return {action.__name__: action for action in actions}[event["do"]](event)
