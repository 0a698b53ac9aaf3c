"""The first screen: what serves, how to roll back, and how everything stands. HTML from a story."""

from __future__ import annotations

import shlex
from html import escape

from monitoring.dashboard.dashboard_data import Story
from monitoring.dashboard.incidents_section import chip, is_experiment, is_incident, verdicts
from monitoring.dashboard.metric_charts import short


def first(story: Story) -> str:
    """Two cards and a row of tiles; each tile leads to its section."""
    tiles = "".join(
        f'<li><a href="#{where}"><span class="name">{name}</span>{value}<span class="soft">{said}</span></a></li>'
        for where, name, value, said in (
            _incidents(story),
            _watch(story),
            _verdict(story),
            _experiment(story),
            _drill(story),
        )
    )
    return (
        f'<div class="first"><section class="card" aria-labelledby="live"><h2 id="live">Serving now</h2>{_live(story)}'
        f'</section><section class="card" aria-labelledby="back"><h2 id="back">Roll back</h2>{_back(story)}</section>'
        f'</div><ul class="tiles">{tiles}</ul>'
    )


def summary(story: Story) -> str:
    """The story in three sentences."""
    rows, known = sum(d.rows for d in story.days), sum(d.labelled for d in story.days)
    champion = story.arms.get("champion")
    live = f"{champion.version} is live. " if champion else "Nothing is live. "
    answered = (
        f"{rows:,} rows were answered by {_count(len({d.version for d in story.days}), 'version')},"
        f" outcomes are known for {known:,}. "
        if rows
        else ""
    )
    opened = sum(a.state == "open" and is_incident(a) for a in story.alerts)
    return live + answered + (f"{_count(opened, 'incident')} open." if opened else "No incident is open.")


def _live(story: Story) -> str:
    champion = story.arms.get("champion")
    if champion is None:
        return (
            '<p class="version">nothing yet</p><p>The first model that the gate promotes is served by itself:'
            " <code>make retrain gate land</code>, then <code>make serve</code>.</p>"
        )
    arms = "".join(
        f"<li><strong>{arm}</strong> <code>{escape(span.version)}</code> {escape(span.how)}</li>"
        for arm, span in story.arms.items()
        if arm != "champion"
    )
    wrong = "".join(f"<li>{escape(why)}</li>" for why in unfollowed(story))
    return (
        f'<p class="version">{escape(champion.version)}</p>'
        f'<p class="soft">champion since {_time(champion.since)}</p>'
        + (f'<p><b class="bad">▲ Check that scorers follow</b></p><ul>{wrong}</ul>' if wrong else "")
        + f"<p>{escape(summary(story).partition('. ')[2])}</p>"
        + (f"<ul>{arms}</ul>" if arms else "")
    )


def unfollowed(story: Story) -> list[str]:
    """Why scorers may not follow live.toml: by the forge, and by who answered since the last change.

    Where the champion was live on whole days, and rows of these were answered by versions without a
    role, but none by it, scorers did not follow.
    """
    found = [*story.told.unfollowed]
    champion = story.arms.get("champion")
    if champion is None:
        return found
    named = {span.version for span in story.arms.values()}
    until = story.told.at[:10] or "9999"
    days = [each for each in story.days if champion.since[:10] < each.day < until]
    others = [each for each in days if each.version not in named and each.rows]
    if others and not any(each.rows for each in days if each.version == champion.version):
        last = max(others, key=lambda each: each.day)
        found.append(
            f"{last.version} answered {last.rows:,} rows of {last.day}, and {champion.version} none:"
            " see /ready of each scorer"
        )
    return found


def _back(story: Story) -> str:
    version, why = story.told.back
    to = f"<p><code>{escape(version)}</code> serves again within seconds, and no request fails.</p>"
    if not version:
        to = f"<p>Not now: {escape(why or 'no model has been replaced yet')}. Else it is this:</p>"
    address = story.told.address
    if address.startswith("https://"):
        where = escape(f"{address}/actions/workflows/rollback.yml", quote=True)
        return (
            f'{to}<p><a class="button" href="{where}">Run the <em>rollback</em> workflow</a></p>'
            f'<p class="soft">or type <code>/rollback</code> below an open incident, or'
            " <code>gh workflow run rollback.yml -f reason=…</code></p>"
        )
    named = "" if story.told.forge in ("", ".forge") else f"FORGE={shlex.quote(story.told.forge)} "
    return (
        f'{to}<pre class="gesture">{escape(named)}make rollback</pre>'
        f'<p class="soft">Another version: <code>make rollback TO=VERSION</code>. It can be undone the same way.</p>'
    )


def _incidents(story: Story) -> tuple[str, str, str, str]:
    every = [a for a in story.alerts if is_incident(a)]
    opened = [a for a in every if a.state == "open"]
    value = f'<b class="{"bad" if opened else "good"}">{"▲ " if opened else "✔ "}{len(opened)} open</b>'
    newest = opened[0].title if opened else f"{len(every) - len(opened)} past"
    return "incidents", "Incidents", value, escape(newest)


def _watch(story: Story) -> tuple[str, str, str, str]:
    if not story.run:
        return "charts", "Watch", "<b>not yet</b>", "<code>make watch</code>"
    loud = {s.name for _, s in story.signals if s.breached and s.day == _newest(story)}
    value = f'<b class="{"bad" if loud else "good"}">{"▲" if loud else "✔"} {len(loud)} beyond</b>'
    told = f"of {len({s.name for _, s in story.signals})} signals on {_newest(story) or 'no day'}"
    return "charts", "Watch", value, told


def _verdict(story: Story) -> tuple[str, str, str, str]:
    found = verdicts(story)
    if not found:
        return "verdicts", "Last verdict", "<b>none yet</b>", "<code>make gate</code>"
    verdict, *_ = found[0]
    return ("verdicts", "Last verdict", f"<b>{chip(verdict.decision)}</b>", escape(short(verdict.version)))


def _experiment(story: Story) -> tuple[str, str, str, str]:
    found = next((a for a in story.alerts if is_experiment(a) and a.state == "open"), None)
    if found is None:
        return "experiments", "Experiment", "<b>none</b>", "no challenger has a share"
    state = str(found.memory.get("state", "open"))
    needs = found.memory.get("needs")
    said = f"about {needs} more days" if isinstance(needs, int) else str(found.memory.get("why", ""))
    return "experiments", "Experiment", f"<b>{chip(state)}</b>", escape(said)


def _drill(story: Story) -> tuple[str, str, str, str]:
    when, sentence = story.told.drill
    caught = sentence.partition(" faults caught")[0]
    if not when:
        return "verdicts", "Drill", "<b>not held</b>", "<code>make drill</code>"
    return "verdicts", "Drill", f"<b>{escape(caught)}</b>", f"faults caught, {escape(when)}"


def _newest(story: Story) -> str:
    return max((s.day for _, s in story.signals), default="")


def _time(text: str) -> str:
    return f"{escape(text[:16].replace('T', ' '))} UTC"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
