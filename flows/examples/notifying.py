"""Prefect calls a webhook when a night was stopped, broke down, is late, or when there was none for a day.

`python -m flows.examples.notifying https://chat.example/hook` makes the block and the automations, or makes them anew.
The text has the name of the run and the one line that nadir ends with, never a value of a patient.
"""

import sys
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events import EventTrigger
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import Posture
from pydantic import SecretStr

TEXT = '{"text": "nadir: %s: {{ flow_run.name }}: {{ flow_run.state.message }}"}'
OF_NADIR = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.nadir"}
TOLD = {
    "a night was stopped": {"prefect.flow-run.Stopped"},
    "a night broke down": {"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"},
    "a night is late": {"prefect.flow-run.Late"},
}
LONGEST_SILENCE = timedelta(hours=26)


def notify(url: str) -> list[str]:
    """Make the automations; their names."""
    block = Webhook(method="POST", url=SecretStr(url))
    block_id = block.save("nadir", overwrite=True)
    runs = {"prefect.resource.id": "prefect.flow-run.*"}
    triggers = {
        what: EventTrigger(expect=events, match=runs, match_related=OF_NADIR, posture=Posture.Reactive)
        for what, events in TOLD.items()
    }
    triggers["no night has ended well for a day"] = EventTrigger(
        expect={"prefect.flow-run.Completed"},
        match=runs,
        match_related=OF_NADIR,
        posture=Posture.Proactive,
        within=LONGEST_SILENCE,
    )
    with get_client(sync_client=True) as client:
        for old in client.read_automations():
            if old.name.startswith("nadir: "):
                client.delete_automation(old.id)
    for what, trigger in triggers.items():
        is_about_a_run = trigger.posture == Posture.Reactive
        payload = TEXT % what if is_about_a_run else f'{{"text": "nadir: {what}"}}'
        call = CallWebhook(block_document_id=block_id, payload=payload)
        Automation(name=f"nadir: {what}", trigger=trigger, actions=[call]).create()
    return [f"nadir: {what}" for what in triggers]


if __name__ == "__main__":
    print("\n".join(notify(sys.argv[1])))
