"""A table as the program opens it, on the stand-in."""

from __future__ import annotations

from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.aws.dynamodb.table import MAX_ANSWER_BYTES
from reaper.aws.transport.http import HttpClient
from reaper.aws.transport.signing import Signer
from reaper.aws.transport.trust import trust
from reaper.core.iam import TableId
from tests.support.cloud import Cloud


def a_table(cloud: Cloud, name: str, index: str | None = None) -> ConnectionsTable:
    def new_client() -> HttpClient:
        signer = Signer(cloud.session.get_credentials(), "dynamodb")
        return HttpClient(signer, 5, trust(cloud.session), MAX_ANSWER_BYTES)

    session = cloud.session
    return ConnectionsTable(TableId(name), index, session.region_name, session._session, new_client)
