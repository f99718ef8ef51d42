"""What calls cost, and what may be spent. Amounts are milli-cents."""

from collections.abc import AsyncGenerator
from pathlib import Path

from api.client.transport import Json, Transport, at
from api.resources.budget import BudgetEntryObject, BudgetObject, ChangeBudget
from api.resources.csv_import import ImportObject
from api.resources.rate import PutRate, RateObject


class Money(Transport):
    """`/v1/rates`, `/v1/budget`."""

    def list_rates(self) -> AsyncGenerator[RateObject, None]:
        """The rate card, by prefix."""
        return self._every(RateObject, at("rates"))

    async def get_rate(self, prefix: str) -> RateObject:
        """What a minute to numbers with this prefix costs."""
        return await self._get(RateObject, at("rates", prefix))

    async def put_rate(self, prefix: str, body: PutRate | Json) -> RateObject:
        """Set what a minute to numbers with this prefix costs; `+` is everybody."""
        return await self._write(RateObject, "PUT", at("rates", prefix), body)

    async def delete_rate(self, prefix: str) -> None:
        """Take a prefix off the rate card."""
        await self.request("DELETE", at("rates", prefix))

    async def import_rates(self, csv: bytes | str, *, partial: bool = False) -> ImportObject:
        """Set a CSV file of rates; with `partial` the good lines of one that has wrong ones."""
        return await self._upload(ImportObject, at("rates", "import"), csv, partial)

    async def export_rates(self, file: Path | str) -> Path:
        """Write the rate card to `file`, CSV."""
        return await self._save(at("rates", "export"), file)

    async def get_budget(self) -> BudgetObject:
        """What is spent, held and left."""
        return await self._get(BudgetObject, at("budget"))

    async def change_budget(self, body: ChangeBudget | Json) -> BudgetObject:
        """Set or lift the limit."""
        return await self._write(BudgetObject, "PATCH", at("budget"), body)

    def list_budget_entries(
        self, *, call_id: str | None = None
    ) -> AsyncGenerator[BudgetEntryObject, None]:
        """Every change of the budget, the latest first."""
        return self._every(BudgetEntryObject, at("budget", "entries"), {"call_id": call_id})
