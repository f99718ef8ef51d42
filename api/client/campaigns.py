"""Campaigns: many calls from one template."""

from collections.abc import AsyncGenerator
from pathlib import Path

from api.client.transport import Json, Transport, at
from api.resources.campaign import (
    Action,
    AddContacts,
    CampaignObject,
    CampaignReport,
    ChangeCampaign,
    ContactObject,
    ContactsAdded,
    ContactStatus,
    CreateCampaign,
)
from api.resources.csv_import import ImportObject


class Campaigns(Transport):
    """`/v1/campaigns`."""

    async def create_campaign(
        self, body: CreateCampaign | Json, *, idempotency_key: str | None = None
    ) -> CampaignReport:
        """Make a campaign; `idempotency_key` as in `create_call`."""
        return await self._post(CampaignReport, at("campaigns"), body, idempotency_key)

    def list_campaigns(self) -> AsyncGenerator[CampaignObject, None]:
        """Every campaign, newest first."""
        return self._every(CampaignObject, at("campaigns"))

    async def get_campaign(self, campaign_id: str) -> CampaignReport:
        """The campaign with what has come of it so far."""
        return await self._get(CampaignReport, at("campaigns", campaign_id))

    async def change_campaign(
        self, campaign_id: str, body: ChangeCampaign | Json
    ) -> CampaignReport:
        """Change what `body` names."""
        return await self._write(CampaignReport, "PATCH", at("campaigns", campaign_id), body)

    async def delete_campaign(self, campaign_id: str) -> None:
        """Delete a draft."""
        await self.request("DELETE", at("campaigns", campaign_id))

    async def start_campaign(self, campaign_id: str) -> CampaignReport:
        """From `draft` to `running`."""
        return await self._act(campaign_id, "start")

    async def pause_campaign(self, campaign_id: str) -> CampaignReport:
        """Hold what is not live."""
        return await self._act(campaign_id, "pause")

    async def resume_campaign(self, campaign_id: str) -> CampaignReport:
        """From `paused` to `running`."""
        return await self._act(campaign_id, "resume")

    async def cancel_campaign(self, campaign_id: str) -> CampaignReport:
        """End it for good; live calls go on."""
        return await self._act(campaign_id, "cancel")

    async def _act(self, campaign_id: str, action: Action) -> CampaignReport:
        return await self._post(CampaignReport, at("campaigns", campaign_id, action))

    async def add_campaign_contacts(
        self, campaign_id: str, body: AddContacts | Json
    ) -> ContactsAdded:
        """Add contacts; a number that is there already is left out."""
        return await self._post(ContactsAdded, at("campaigns", campaign_id, "contacts"), body)

    async def import_campaign_contacts(
        self, campaign_id: str, csv: bytes | str, *, partial: bool = False
    ) -> ImportObject:
        """Add the contacts of a CSV file.

        Args:
            campaign_id: which campaign.
            csv: what the file holds.
            partial: take the good lines of a file that has wrong ones.
        """
        path = at("campaigns", campaign_id, "contacts.csv")
        return await self._upload(ImportObject, path, csv, partial)

    def list_campaign_contacts(
        self, campaign_id: str, *, status: ContactStatus | None = None
    ) -> AsyncGenerator[ContactObject, None]:
        """Contacts in the order that they are called in."""
        path = at("campaigns", campaign_id, "contacts")
        return self._every(ContactObject, path, {"status": status})

    async def export_campaign_results(self, campaign_id: str, file: Path | str) -> Path:
        """Write what has come of each contact to `file`, CSV."""
        return await self._save(at("campaigns", campaign_id, "results.csv"), file)
