"""Addresses of the web pages: holds the map, and refuses to know what is behind it.

It alone stands above web and engine, so it gives pages what kinds say of settings.
"""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import IntConverter, StringConverter

from deployctl.engine.targets import problems
from deployctl.inventories import formats
from deployctl.web import (
    deployments,
    editing,
    following,
    health,
    importing,
    overview,
    people,
    places,
    plans,
    queries,
    room,
    saving,
    targets,
    versions,
)


class RowConverter(IntConverter):
    """A number that a row could have; larger ones are nobody's."""

    regex = "[0-9]{1,15}"


class HashConverter(StringConverter):
    """A plan's hash, whole."""

    regex = "[0-9a-f]{64}"


class ExportConverter(StringConverter):
    """A format in which a fleet can be written."""

    regex = "|".join(formats.WRITTEN)


register_converter(RowConverter, "row")
register_converter(HashConverter, "hash")
register_converter(ExportConverter, "export")

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("sign-in/", people.sign_in, name="sign-in"),
    path("sign-out/", people.sign_out, name="sign-out"),
    path("", overview.overview, name="overview"),
    path("fleet/", targets.target_list, name="target-list"),
    path("targets/<row:target_id>/", targets.target_detail, name="target-detail"),
    path("targets/<row:target_id>/history.csv", targets.target_csv, name="target-csv"),
    path(
        "fleet/import/",
        importing.target_import,
        {"judge": problems},
        name="target-import",
    ),
    path(
        "fleet/import/preview/",
        importing.target_import_preview,
        {"judge": problems},
        name="target-import-preview",
    ),
    path("fleet/export.<export:format>", importing.target_export, name="target-export"),
    path("fleet/edit/", editing.target_edit, name="target-edit"),
    path(
        "fleet/edit/preview/", editing.target_edit_preview, name="target-edit-preview"
    ),
    path("fleet/places/", places.place_list, name="place-list"),
    path("fleet/places/application/", places.application_add, name="application-add"),
    path("fleet/places/environment/", places.environment_add, name="environment-add"),
    path("fleet/queries/", queries.query_save, name="query-save"),
    path(
        "fleet/queries/<row:query_id>/remove/",
        queries.query_remove,
        name="query-remove",
    ),
    path("versions/", versions.version_list, name="version-list"),
    path("versions/register/", versions.version_register, name="version-register"),
    path(
        "versions/<row:version_id>/withdraw/",
        versions.version_withdraw,
        name="version-withdraw",
    ),
    path("plans/<hash:plan_hash>/", plans.plan_detail, name="plan-detail"),
    path("plans/<hash:plan_hash>.json", plans.plan_json, name="plan-json"),
    path("deployments/", deployments.deployment_list, name="deployment-list"),
    path("deployments.csv", deployments.deployment_csv, name="deployment-csv"),
    path("deployments/new/", deployments.deployment_new, name="deployment-new"),
    path("deployments/new/draft/", saving.draft_keep, name="deployment-draft"),
    path("deployments/new/template/", saving.template_save, name="deployment-template"),
    path("deployments/new/use/", saving.template_use, name="deployment-use"),
    path("deployments/saved/", saving.saved_list, name="deployment-saved"),
    path(
        "deployments/saved/<row:saved_id>/remove/",
        saving.saved_remove,
        name="deployment-saved-remove",
    ),
    path(
        "deployments/saved/<row:saved_id>/rename/",
        saving.template_rename,
        name="deployment-saved-rename",
    ),
    path(
        "deployments/preview/",
        deployments.deployment_preview,
        name="deployment-preview",
    ),
    path(
        "deployments/<row:deployment_id>/",
        room.deployment_detail,
        name="deployment-detail",
    ),
    path(
        "deployments/<row:deployment_id>/live",
        room.deployment_live,
        name="deployment-live",
    ),
    path(
        "deployments/<row:deployment_id>/actions/",
        room.deployment_actions,
        name="deployment-actions",
    ),
    path(
        "deployments/<row:deployment_id>/command/",
        room.deployment_command,
        name="deployment-command",
    ),
    path(
        "deployments/<row:deployment_id>/follow/",
        following.deployment_follow,
        name="deployment-follow",
    ),
    path(
        "operations/<row:operation_id>/settle/",
        room.operation_settle,
        name="operation-settle",
    ),
]
