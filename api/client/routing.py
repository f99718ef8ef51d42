"""Caller numbers, trunks, and numbers that are never called."""

from collections.abc import AsyncGenerator
from pathlib import Path

from api.client.transport import Json, Transport, at
from api.resources.csv_import import ImportObject
from api.resources.dialplan import DialplanObject, DialplanTest
from api.resources.do_not_call import AddDoNotCall, DoNotCallObject
from api.resources.number import ChangeNumber, CreateNumber, NumberObject
from api.resources.trunk import ChangeTrunk, CreateTrunk, TrunkObject


class Routing(Transport):
    """`/v1/numbers`, `/v1/trunks`, `/v1/do_not_call`."""

    async def create_number(self, body: CreateNumber | Json) -> NumberObject:
        """Add a caller number."""
        return await self._post(NumberObject, at("numbers"), body)

    def list_numbers(self) -> AsyncGenerator[NumberObject, None]:
        """Every caller number, oldest first."""
        return self._every(NumberObject, at("numbers"))

    async def get_number(self, number_id: str) -> NumberObject:
        """A caller number."""
        return await self._get(NumberObject, at("numbers", number_id))

    async def change_number(self, number_id: str, body: ChangeNumber | Json) -> NumberObject:
        """Change what `body` names."""
        return await self._write(NumberObject, "PATCH", at("numbers", number_id), body)

    async def delete_number(self, number_id: str) -> None:
        """Delete a caller number that no open call shows."""
        await self.request("DELETE", at("numbers", number_id))

    async def create_trunk(self, body: CreateTrunk | Json) -> TrunkObject:
        """Add a trunk."""
        return await self._post(TrunkObject, at("trunks"), body)

    def list_trunks(self) -> AsyncGenerator[TrunkObject, None]:
        """Every trunk, oldest first."""
        return self._every(TrunkObject, at("trunks"), paged=False)

    async def get_trunk(self, name: str) -> TrunkObject:
        """A trunk with its calls now."""
        return await self._get(TrunkObject, at("trunks", name))

    async def change_trunk(self, name: str, body: ChangeTrunk | Json) -> TrunkObject:
        """Change what `body` names."""
        return await self._write(TrunkObject, "PATCH", at("trunks", name), body)

    async def delete_trunk(self, name: str) -> None:
        """Delete a trunk that neither numbers nor open calls need."""
        await self.request("DELETE", at("trunks", name))

    async def test_dialplan(self, name: str, body: DialplanTest | Json) -> DialplanObject:
        """See what a trunk's dial plan makes of numbers."""
        return await self._post(DialplanObject, at("trunks", name, "dialplan_test"), body)

    async def add_do_not_call(self, body: AddDoNotCall | Json) -> DoNotCallObject:
        """Never call a number again."""
        return await self._post(DoNotCallObject, at("do_not_call"), body)

    def list_do_not_call(
        self, *, prefix: str | None = None
    ) -> AsyncGenerator[DoNotCallObject, None]:
        """Numbers that are never called, the latest first."""
        return self._every(DoNotCallObject, at("do_not_call"), {"prefix": prefix})

    async def get_do_not_call(self, number: str) -> DoNotCallObject:
        """Why a number is never called. Raises ApiError `not_found`."""
        return await self._get(DoNotCallObject, at("do_not_call", number))

    async def delete_do_not_call(self, number: str) -> None:
        """Let a number be called again."""
        await self.request("DELETE", at("do_not_call", number))

    async def import_do_not_call(self, csv: bytes | str, *, partial: bool = False) -> ImportObject:
        """Add a CSV file of numbers; with `partial` the good lines of one that has wrong ones."""
        return await self._upload(ImportObject, at("do_not_call", "import"), csv, partial)

    async def export_do_not_call(self, file: Path | str) -> Path:
        """Write the list to `file`, CSV."""
        return await self._save(at("do_not_call", "export"), file)
