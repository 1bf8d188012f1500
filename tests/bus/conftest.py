from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from aimond.bus.service import Service
from tests.bus.reader import Reader, reading
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with PrivateBus() as private:
        yield private


@pytest.fixture
def source() -> Standin:
    return Standin()


@pytest.fixture
async def service(bus: PrivateBus, source: Standin) -> AsyncIterator[Service]:
    serving = Service(source, bus.address)
    await serving.start()
    yield serving
    await serving.close()


@pytest.fixture
async def reader(bus: PrivateBus, service: Service) -> AsyncIterator[Reader]:
    async with reading(bus.address) as ear:
        yield ear
