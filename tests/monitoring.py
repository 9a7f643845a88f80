#!/usr/bin/env python3
"""Tests what is watched: dashboards and rules name only metrics and labels that docs/metrics.md has, dashboards keep the rules of
Grafana's dashboard-linter (by the names it gives them), and each alert has its runbook. Usage: tests/monitoring.py"""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parent.parent
DASHBOARDS = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))}
RULES = {file.stem: file.read_text() for file in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))}
OPERATIONS = (ROOT / "docs/operations.md").read_text()

# What Prometheus itself gives to every series, and has of its own.
TARGET_LABELS = {"job", "instance"}
OF_PROMETHEUS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity", "component", "actor", "shard", "topic", "breaker"}}
# Where a dashboard-linter's rule does not fit: the rule, what it is about, and why.
EXCLUSIONS = {
    "target-instance-rule": {
        "ALERTS": "an alert may be about no single process",
        "rialto:": "the service level is that of all processes together",
    },
}
UNITS = {"short", "none", "s", "bytes", "percentunit", "reqps", "ops"}
WORDS = {"and", "or", "unless", "on", "ignoring", "bool", "by", "without", "group_left", "group_right", "offset"}


def catalogue():
    """Metrics by their names, with their labels and whether they are histograms: the rows of docs/metrics.md."""
    found = {}
    for row in re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", (ROOT / "docs/metrics.md").read_text(), re.M):
        name, form, labels = row[0], row[1], set(re.findall(r"`(\w+)`", row[2])) | TARGET_LABELS
        if form.startswith("histogram"):
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return found


def recorded():
    return {name: {"job"} for name in re.findall(r"- record: (\S+)", RULES["recording"])}


METRICS = catalogue() | recorded() | {name: labels | TARGET_LABELS for name, labels in OF_PROMETHEUS.items()}


def names(query):
    """The metrics of a query."""
    found = {name for names in re.findall(r'__name__=~"([^"]*)"', query) for name in names.split("|")}
    query = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", re.sub(r'"[^"]*"', "", query))
    query = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", query)
    return found | (set(re.findall(r"(?<![\w:.])[A-Za-z_][\w:]*\b(?!\s*\()", query)) - WORDS)


def labels(query):
    """The labels that a query matches or groups by."""
    matched = [label for matchers in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)"', matchers)]
    grouped = [label for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", query) for label in re.findall(r"\w+", group)]
    return set(matched + grouped) - {"__name__"}


def selectors(query):
    """Each metric with its matchers."""
    return [(name, matchers or "") for name, matchers in re.findall(r"(?<![\w:.])([A-Za-z_][\w:]*)(\{[^}]*\})", query)]


def panels():
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield name, dashboard, panel


def targets():
    for name, dashboard, panel in panels():
        for target in panel["targets"]:
            yield f"{name}: {panel['title']}: {target['expr']}", dashboard, panel, target


def expressions():
    """The expressions of the rules. A block ends where its indentation does."""
    for name, text in RULES.items():
        for inline, block in re.findall(r"^ {8}expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", text, re.M):
            yield f"{name}: {(inline or block).strip()}", inline or block


class Names(unittest.TestCase):
    def test_the_catalogue_and_the_rules_were_read(self):
        self.assertIn("rialto_psp_call_seconds_bucket", METRICS)
        self.assertIn("le", METRICS["rialto_psp_call_seconds_bucket"])
        self.assertEqual(len(list(expressions())), sum(text.count(" expr: ") for text in RULES.values()))
        self.assertGreaterEqual(len(DASHBOARDS), 8)

    def test_a_name_that_is_not_there_is_found(self):
        query = 'sum by (lost) (rate(gone_total{job=~"$job",where="here"}[5m])) / up or vector(0) > bool 0.5'
        self.assertEqual((names(query), labels(query)), ({"gone_total", "up"}, {"lost", "job", "where"}))

    def known(self, what, query):
        self.assertEqual(names(query) - METRICS.keys(), set(), what)
        self.assertEqual(labels(query) - set().union(*(METRICS[name] for name in names(query))), set(), what)
        for name, matchers in selectors(query):
            self.assertEqual(labels(matchers) - METRICS[name], set(), what)

    def test_panels_name_what_there_is(self):
        for what, _, _, target in targets():
            self.known(what, target["expr"])
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            self.assertEqual(shown - set().union(*(METRICS[name] for name in names(target["expr"]))), set(), what)

    def test_rules_name_what_there_is(self):
        for what, query in expressions():
            self.known(what, query)

    def test_no_metric_is_left_out(self):
        seen = {name for _, _, _, target in targets() for name in names(target["expr"])}
        bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in seen}
        missing = {name for name in catalogue() if re.sub(r"_(bucket|sum|count)$", "", name) not in bases}
        # Of the process, the limits of what is shown.
        missing -= {"process_virtual_memory_bytes", "process_max_fds", "process_threads"}
        self.assertEqual(missing, set(), "metrics on no dashboard")


class DashboardLinter(unittest.TestCase):
    def variable(self, dashboard, name):
        return next((each for each in dashboard["templating"]["list"] if each["name"] == name), None)

    def test_template_datasource_rule(self):
        for name, dashboard in DASHBOARDS.items():
            variable = self.variable(dashboard, "datasource")
            self.assertEqual((variable["type"], variable["query"], variable["label"]), ("datasource", "prometheus", "Data source"), name)

    def test_template_job_and_instance_rules(self):
        for name, dashboard in DASHBOARDS.items():
            for label in ("job", "instance"):
                variable = self.variable(dashboard, label)
                self.assertEqual(variable["datasource"]["uid"], "${datasource}", name)
                self.assertEqual((variable["type"], variable["label"]), ("query", label.capitalize()), name)
                self.assertEqual((variable["multi"], variable["includeAll"], variable["allValue"]), (True, True, ".+"), name)

    def test_template_label_promql_and_on_time_change_reload_rules(self):
        for name, dashboard in DASHBOARDS.items():
            for variable in dashboard["templating"]["list"]:
                if variable["type"] != "query":
                    continue
                asked = re.fullmatch(r"label_values\((\w+)(\{.*\})?, (\w+)\)", variable["query"]["query"])
                self.assertIn(asked[3], METRICS[asked[1]], name)
                self.assertEqual(variable["refresh"], 2, name)

    def test_uneditable_dashboard_rule(self):
        for name, dashboard in DASHBOARDS.items():
            self.assertIs(dashboard["editable"], False, name)

    def test_panel_datasource_rule(self):
        for name, _, panel in panels():
            sources = {each["datasource"]["uid"] for each in [panel, *panel["targets"]]}
            self.assertEqual(sources, {"${datasource}"}, f"{name}: {panel['title']}")

    def test_panel_title_description_rule(self):
        for name, dashboard, panel in panels():
            self.assertTrue(dashboard["title"] and dashboard["description"] and panel["title"], name)
            self.assertRegex(panel["description"], r"^[A-Z].*\.$", f"{name}: {panel['title']}")

    def test_panel_units_rule(self):
        for name, _, panel in panels():
            self.assertIn(panel["fieldConfig"]["defaults"]["unit"], UNITS, f"{name}: {panel['title']}")

    def test_panel_no_targets_rule(self):
        for name, _, panel in panels():
            self.assertTrue(panel["targets"], f"{name}: {panel['title']}")

    def test_target_job_and_instance_rules(self):
        used = set()
        for what, _, _, target in targets():
            chosen = selectors(target["expr"])
            self.assertEqual({name for name, _ in chosen}, names(target["expr"]), what)
            for name, matchers in chosen:
                self.assertIn('job=~"$job"', matchers, what)
                excluded = {part for part in EXCLUSIONS["target-instance-rule"] if name.startswith(part)}
                used |= excluded
                if not excluded:
                    self.assertIn('instance=~"$instance"', matchers, what)
        self.assertEqual(used, EXCLUSIONS["target-instance-rule"].keys(), "exclusions that nothing needs")

    def test_target_rate_interval_rule(self):
        for what, _, _, target in targets():
            for function, window in re.findall(r"\b(\w+)\([^()\[]*\[([^]]*)\]", target["expr"]):
                self.assertTrue(function == "increase" or window == "$__rate_interval", what)

    def test_target_counter_agg_rule(self):
        for what, _, _, target in targets():
            counters = re.findall(r"\w+_total\{[^}]*\}", target["expr"])
            grown = re.findall(r"\b(?:rate|increase)\(\w+_total\{[^}]*\}\[", target["expr"])
            self.assertEqual(len(counters), len(grown), what)

    def test_target_promql_rule(self):
        """Prometheus's own parser reads every query, as a rule."""
        rules = [{"record": "panel:query", "expr": substituted(target["expr"]), "labels": {"number": str(at)}}
                 for at, (_, _, _, target) in enumerate(targets())]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)
            file.flush()
            checked = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


def substituted(query):
    """A query as Grafana asks it."""
    for variable, value in {"$__rate_interval": "1m", "$__range": "1h", "$job": ".+", "$instance": ".+", "$actor": ".+"}.items():
        query = query.replace(variable, value)
    return query


class Alerts(unittest.TestCase):
    ALERTS = re.findall(r"- alert: (\w+)\n(.*?)(?=\n      - |\n  - name|\Z)", RULES["alerts"], re.S)

    def test_each_has_a_severity_a_component_a_summary_and_its_runbook(self):
        self.assertEqual(len(self.ALERTS), RULES["alerts"].count("alert:"))
        for name, text in self.ALERTS:
            self.assertRegex(text, r"labels: \{ severity: (warning|page), component: \w+ \}", name)
            self.assertRegex(text, r'summary: ".+"', name)
            self.assertIn(f"runbook: docs/operations.md#{name.lower()}\n", text + "\n", name)

    def test_each_runbook_is_there_and_whole_and_none_is_left_over(self):
        chapter = re.search(r"^## Alerts\n(.*?)(?=^## |\Z)", OPERATIONS, re.S | re.M)[1]
        sections = re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", chapter, re.S | re.M)
        self.assertEqual(sorted(name for name, _ in sections), sorted(name for name, _ in self.ALERTS))
        for name, text in sections:
            for part in ("Means", "For whom", "Look at", "Do", "Over when"):
                self.assertIn(f"- **{part}:** ", text, name)

    def test_each_has_a_unit_test_in_which_it_fires_and_one_in_which_it_does_not(self):
        tests = (ROOT / "deploy/prometheus/tests/alerts.yml").read_text()
        for name, _ in self.ALERTS:
            self.assertRegex(tests, rf"alertname: {name}\n +exp_alerts:(?: &\w+)?\n", name)
            self.assertRegex(tests, rf"alertname: {name}, exp_alerts: \[\]", name)


if __name__ == "__main__":
    unittest.main()
