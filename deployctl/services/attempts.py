"""Counting attempts under keys, over all processes, within a window of time.

It knows neither requests nor people: what a key stands for, and how many attempts are
too many, is the caller's affair. Rows older than the window are deleted on the way.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection

#: From the first attempt under a key until its count begins anew.
WINDOW_SECONDS = 300.0


def take(most: Mapping[str, int]) -> float:
    """Count an attempt under each of these keys, unless one of them is used up.

    What is refused is not counted, so no window is ever made longer: who waits gets in.

    Args:
        most: each key, and how many attempts there may be under it.

    Returns:
        0 when it may be made, else the seconds until it may.
    """
    ordered = sorted(most)
    limits = [most[key] for key in ordered]
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED, [WINDOW_SECONDS, ordered, limits, WINDOW_SECONDS])
        left = cursor.fetchone()[0]
        if left is not None:
            return max(1.0, float(left))
        cursor.execute(_OLD, [WINDOW_SECONDS])
        cursor.execute(_COUNT, [ordered, WINDOW_SECONDS])
        counts = dict(cursor.fetchall())
    # Between the look and the count others may have come: the last ones wait too.
    over = any(counts[key] > most[key] for key in ordered)
    return WINDOW_SECONDS if over else 0.0


def give_back(keys: Mapping[str, int]) -> None:
    """Take back an attempt that was none: it succeeded."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_BACK, [sorted(keys)])


_CLOSED = """
    SELECT EXTRACT(EPOCH FROM max(
               a.since + make_interval(secs => %s) - clock_timestamp()))
      FROM unnest(%s::text[], %s::int[]) AS k(key, most)
      JOIN deployctl_attempts a ON a.key = k.key
     WHERE a.count >= k.most
       AND a.since > clock_timestamp() - make_interval(secs => %s)
"""
# Whoever holds a row is about to begin it anew, or to delete it: nobody need wait.
_OLD = """
    DELETE FROM deployctl_attempts WHERE key IN (
        SELECT key FROM deployctl_attempts
         WHERE since < clock_timestamp() - make_interval(secs => %s)
         ORDER BY key LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""
# In the order of keys, so that two at once never wait for each other.
_COUNT = """
    INSERT INTO deployctl_attempts AS a (key, count, since)
    SELECT key, 1, clock_timestamp() FROM unnest(%s::text[]) AS k(key) ORDER BY key
        ON CONFLICT (key) DO UPDATE SET
           (count, since) = (
               SELECT CASE WHEN a.since > bound THEN a.count + 1 ELSE 1 END,
                      CASE WHEN a.since > bound THEN a.since ELSE excluded.since END
                 FROM (SELECT clock_timestamp() - make_interval(secs => %s)) o(bound))
    RETURNING key, count
"""
_GIVE_BACK = """
    WITH held AS (SELECT key FROM deployctl_attempts WHERE key = ANY(%s)
                   ORDER BY key FOR UPDATE)
    UPDATE deployctl_attempts a SET count = greatest(a.count - 1, 0)
      FROM held WHERE a.key = held.key
"""
