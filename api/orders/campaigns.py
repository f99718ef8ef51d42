"""Turns the contacts of running campaigns into orders, no faster than there is room for them.

It keeps no state: each step reads where a campaign stands and does one transaction, so that it
goes on after a crash between any two of them, and several processes can pace one campaign.
"""

import logging
from dataclasses import replace
from typing import Final

from api.base.fields import parse_fields
from api.base.problems import Problem
from api.base.refusals import Refused, Unaffordable
from api.deployment import Deployment
from api.egress.sealing import SealError
from api.orders.place import check_template, read_order
from api.resources.call import CreateCall
from api.resources.campaign import Campaign, Contact, Standing, order_body
from api.resources.caps import CapReached
from api.resources.masking import unsealed
from api.resources.trunk import trunks_for
from api.store import StoreError

#: Orders for one campaign before it is the next one's turn.
_BATCH: Final = 10

log = logging.getLogger(__name__)


class CampaignFeeder:
    """Paces every campaign of the store."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._pacing = deployment.store.pacing
        self._again_at: float | None = None
        """When a key that has placed all its calls of a day may place another one."""

    async def run(self) -> None:
        """Pace until cancelled. Raises StoreError; run it again then."""
        self._pacing.wake()
        while True:
            await self._pacing.wait(self._again_at)
            self._again_at = None
            while [one for one in await self._pacing.open_campaigns() if await self._turn(one)]:
                pass

    async def _turn(self, campaign_id: str) -> bool:
        """Do some steps for a campaign; whether there may be more to do now."""
        try:
            for _ in range(_BATCH):
                if not await self._step(campaign_id):
                    return False
        except StoreError:
            raise
        except Exception:
            # Others must not pay for it.
            log.exception("campaign %s: a fault of ours", campaign_id)
            return False
        return True

    async def _step(self, campaign_id: str) -> bool:
        """Do the next thing for a campaign; False if there is nothing to do before news comes."""
        standing = await self._pacing.standing(campaign_id)
        if standing.campaign.status == "canceled":
            return await self._pacing.cancel_queued(campaign_id)
        if standing.contact is None:
            if not standing.unfinished:
                await self._pacing.complete(campaign_id)
            return False
        if standing.in_flight >= standing.campaign.max_concurrent:
            return False
        return await self._order(standing, standing.contact)

    async def _order(self, standing: Standing, contact: Contact) -> bool:
        """Place the order of a contact; False if that has to wait."""
        campaign = standing.campaign
        try:
            body = order_body(unsealed(campaign.template, self._deployment.seal), contact)
            asked = parse_fields(CreateCall, body)
            new = await read_order(self._deployment, asked, campaign.api_key_id)
            new = replace(new, campaign_id=campaign.id, dialect=campaign.dialect)
            return await self._pacing.order(campaign.id, contact.seq, new)
        except Unaffordable:
            await self._pacing.pause(campaign.id, "budget")
            return False
        except Refused as refused:
            if isinstance(refused, CapReached) and (at := refused.again_at) is not None:
                self._again_at = min(at, self._again_at or at)
                return False
            refusal = f"{refused.code}: {refused.detail}"
        except SealError as error:
            log.warning("campaign %s is paused: its keys cannot be opened: %s", campaign.id, error)
            await self._pacing.pause(campaign.id, "template")
            return False
        except Problem as problem:
            refusal = f"{problem.code}: {problem.detail}"
            if await self._can_be_mended(campaign, contact, problem.code):
                log.warning("campaign %s is paused: %s", campaign.id, refusal)
                await self._pacing.pause(campaign.id, "template")
                return False
        await self._pacing.refuse(campaign.id, contact.seq, refusal)
        return True

    async def _can_be_mended(self, campaign: Campaign, contact: Contact, code: str) -> bool:
        """Whether it is not the contact's fault: every other one would be refused as well, or the
        trunk that takes its number is not active now."""
        if code == "no_trunk":
            trunks = await self._deployment.store.trunks.list()
            return bool(
                trunks_for(contact.to_number, [replace(t, status="active") for t in trunks])
            )
        try:
            template = unsealed(campaign.template, self._deployment.seal)
            await check_template(self._deployment, template)
        except Problem:
            return True
        return False
