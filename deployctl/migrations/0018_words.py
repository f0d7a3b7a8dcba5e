"""The words of a reason as a column, and all that the history is filtered by in one index.

So what no other index finds is found without reading a row: of each there are some
thousand bytes in the table, and less than 200 in the index.
"""

from __future__ import annotations

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.conf import settings
from django.db import migrations, models

# PostgreSQL refuses a row of an index with more than 2,704 bytes, and with it the row of
# the table. As text each word has at least three signs more than its letters, and in the
# index four bytes more: so 1,800 of text are 2,260 there at most, and 445 are left for
# the other columns, which take 380.
#   Of a longer reason those words count that its first 1,000 characters have, which is
# what people can type: English fits, unless hardly a word comes twice. Or else those of
# the first 100, which always fit: no character has more than four bytes, or is in more
# than two words (by itself, and with an address or with what a hyphen ties to it).
#   Without their places, which nobody asks for.
WORDS = """
    CREATE FUNCTION deployctl_words(why text) RETURNS tsvector
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN CASE
            WHEN octet_length(strip(to_tsvector('simple', why))::text) <= 1800
            THEN strip(to_tsvector('simple', why))
            WHEN octet_length(strip(to_tsvector('simple', left(why, 1000)))::text) <= 1800
            THEN strip(to_tsvector('simple', left(why, 1000)))
            ELSE strip(to_tsvector('simple', left(why, 100)))
        END
"""
# Neither compressed nor packed: it is looked at as it lies in the index, not copied
# first. And vacuumed early, since pages that were not must be looked at row by row.
STORED = """
    ALTER TABLE deployctl_deployment ALTER COLUMN words SET STORAGE PLAIN;
    ALTER TABLE deployctl_deployment SET (
        autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 1000,
        autovacuum_vacuum_insert_scale_factor = 0)
"""
AS_BEFORE = """
    ALTER TABLE deployctl_deployment RESET (
        autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor,
        autovacuum_vacuum_insert_threshold, autovacuum_vacuum_insert_scale_factor)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("deployctl", "0017_saved_forms"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="deployment", name="deployment_newest"),
        migrations.RemoveIndex(model_name="deployment", name="deployment_why"),
        migrations.RunSQL(WORDS, "DROP FUNCTION deployctl_words(text)"),
        migrations.AddField(
            model_name="deployment",
            name="words",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func("why", function="deployctl_words"),
                output_field=django.contrib.postgres.search.SearchVectorField(),
            ),
        ),
        migrations.RunSQL(STORED, AS_BEFORE),
        migrations.AddIndex(
            model_name="deployment",
            index=models.Index(
                fields=["id"],
                include=(
                    *("application", "environment", "version", "created_by"),
                    *("strategy", "state", "created_at", "words"),
                ),
                name="deployment_history",
            ),
        ),
        migrations.AddIndex(
            model_name="deployment",
            index=django.contrib.postgres.indexes.GinIndex(
                fastupdate=False, fields=["words"], name="deployment_words"
            ),
        ),
    ]
