"""What the dashboards show: plain data, from which scripts/dashboards writes deploy/grafana/dashboards/*.json.

A dashboard is a title, what it is for, and its rows; a row is its panels:

    (kind, title, unit, what it says, {legend: query}, levels)

Kinds: "lines", "number", "states" (a line of time coloured by state), "table" (one row for each set of labels), "bars" (how much in
each hour), "heat" (buckets of a histogram). Units are Grafana's. `{@}` in a query is {job=~"$job",instance=~"$instance"}, and
`{@,x="y"}` the same with more. Levels are optional: {"yellow": 10, "red": 100} colours what is at or above, {"red": None, "green": 1}
what is below; a mapping of states names and colours them."""


def total(metric, by="", where=""):
    """A counter's growth a second, by labels."""
    return f"sum{_by(by)} (rate({metric}{{@{where}}}[$__rate_interval]))"


def quantile(q, metric, by="", where=""):
    """A quantile of a histogram, by labels."""
    by = ", ".join(filter(None, [by, "le"]))
    return f"histogram_quantile({q}, sum by ({by}) (rate({metric}_bucket{{@{where}}}[$__rate_interval])))"


def quantiles(metric, by="", where="", qs=(0.5, 0.95, 0.99)):
    """Several of them; the legend is the labels and the percentile."""
    labels = " ".join("{{%s}}" % label for label in by.split(", ") if label)
    return {f"{labels} p{q * 100:g}".strip(): quantile(q, metric, by, where) for q in qs}


def quotient(metric, by, part, whole, growth="rate", window="$__rate_interval"):
    """How much of a counter's growth a part of it is, by labels."""
    return " / ".join(f"sum by ({by}) ({growth}({metric}{{@{where}}}[{window}]))" for where in (part, whole))


def share(part, whole):
    """How much of the whole a part is, 0 when there was none of it."""
    return f"({part} or vector(0)) / {whole}"


def _by(labels):
    return f" by ({labels})" if labels else ""


REQUESTS = "http_server_request_duration_seconds"
PAYMENTS = ',http_route=~"(/api)?/payments.*"'
FAILED = PAYMENTS + ',http_response_status_code=~"5.."'
ERROR_SHARE = share(total(REQUESTS + "_count", where=FAILED), total(REQUESTS + "_count", where=PAYMENTS))
DONE = ',outcome="done"'
ENDED = ',outcome=~"done|failed"'

ACTOR_STATES = {0: ("waiting", "gray"), 1: ("starting", "blue"), 2: ("running", "green"), 3: ("restarting", "red"), 4: ("stopped", "gray")}
BREAKER_STATES = {
    0: ("closed", "green"), 1: ("half-open", "yellow"), 2: ("open", "red"), 3: ("forced open", "purple"), 4: ("forced closed", "blue"),
}
UP = {0: ("down", "red"), 1: ("up", "green")}
DEGRADED = {0: ("well", "green"), 1: ("degraded", "orange")}
HELD = {0: ("another's", "gray"), 1: ("held", "green")}
NEVER = {"green": None, "red": 1}

PROCESS = [
    ("lines", "CPU", "percentunit", "Cores' worth of time that each process takes.",
     {"{{instance}}": "rate(process_cpu_seconds_total{@}[$__rate_interval])"}),
    ("lines", "Memory", "bytes", "Resident memory of each process. There is no heap apart from it: nothing is collected.",
     {"{{instance}}": "process_resident_memory_bytes{@}"}),
    ("lines", "Open files", "short", "File descriptors of each process: connections and files.",
     {"{{instance}}": "process_open_fds{@}"}),
    ("lines", "Disk left", "percentunit", "Of the disk of each process's data directory.",
     {"{{instance}} {{path}}": "rialto_storage_free_bytes{@} / rialto_storage_size_bytes{@}"}, {"red": None, "yellow": 0.05, "green": 0.2}),
    ("lines", "Log lines lost", "ops", "Lines that standard error did not take.",
     {"{{instance}}": total("rialto_log_lines_lost_total", "instance")}),
]

DASHBOARDS = {
    "overview": ("Overview", "Is it well? If not: what is wrong, and for whom.", {
        "Now": [
            ("number", "Nodes up", "short", "Processes that answer Prometheus.", {"": "sum(up{@})"}, {"red": None, "green": 1}),
            ("number", "Requests", "reqps", "Answers a second to calls about payments.",
             {"": total(REQUESTS + "_count", where=PAYMENTS)}),
            ("number", "Errors", "percentunit", "Share of the calls about payments that got a 5xx. The objective is one in 10 000.",
             {"": ERROR_SHARE}, {"green": None, "yellow": 0.0001, "red": 0.001}),
            ("number", "Error budget burn", "short",
             "How many times as fast as 99.99 % allows the budget went in the last hour: 1 lasts the month, 14.4 two days.",
             {"": 'max(rialto:http_request_errors:ratio_rate1h{job=~"$job"}) / 0.0001'}, {"green": None, "yellow": 1, "red": 14.4}),
            ("number", "p99", "s", "Within this, 99 of 100 calls about payments were answered.",
             {"": quantile(0.99, REQUESTS, where=PAYMENTS)}, {"green": None, "yellow": 0.1, "red": 0.5}),
            ("number", "Breakers open", "short", "Breakers, of all processes, that let not everything through.",
             {"": "sum((rialto_breaker_state{@} > bool 0) * (rialto_breaker_state{@} < bool 4))"}, NEVER),
            ("number", "Worst shard", "none", "Down when a process cannot reach a shard's database: that shard's merchants get 503.",
             {"": "min(rialto_shard_up{@})"}, UP),
            ("number", "Oldest event", "s", "How long the oldest committed event waits to be published.",
             {"": "max(rialto_outbox_oldest_age_seconds{@})"}, {"green": None, "yellow": 30, "red": 300}),
            ("number", "Consumer lag", "short", "Published events that consumers have not yet worked off.",
             {"": "sum(rialto_event_log_lag{@})"}, {"green": None, "yellow": 1000, "red": 10000}),
            ("number", "Dead letters", "short", "Open dead letters of all topics.",
             {"": "sum(max by (topic) (rialto_dead_letters_open{@}))"}, {"green": None, "yellow": 1, "red": 100}),
            ("number", "Ledger imbalance", "short", "By how many minor units debits and credits differ. Anything but 0 is wrong.",
             {"": "max(rialto_ledger_imbalance{@})"}, NEVER),
            ("number", "Redis", "none", "Degraded while any process does without Redis: limits are local, answers come from the shards.",
             {"": "max(rialto_rate_limiter_degraded{@})"}, DEGRADED),
        ],
        "Alerts": [
            ("table", "Firing", "short", "Alerts that fire now. docs/operations.md has a section for each.",
             {"": 'sum by (alertname, severity, instance, actor, shard, topic, breaker) (ALERTS{alertstate="firing",job=~"$job"})'}),
            ("lines", "Firing over time", "short", "How many alerts fired, by name.",
             {"{{alertname}}": 'sum by (alertname) (ALERTS{alertstate="firing",job=~"$job"})'}),
        ],
        "Traffic": [
            ("lines", "Calls by status", "reqps", "Answers a second to calls about payments, by HTTP status.",
             {"{{http_response_status_code}}": total(REQUESTS + "_count", "http_response_status_code", PAYMENTS)}),
            ("lines", "Latency", "s", "Of calls about payments.", quantiles(REQUESTS, where=PAYMENTS)),
            ("lines", "Payments by status", "ops", "Payments that entered a status, a second; and findings that the PSP approved another amount.",
             {"{{status}}": total("rialto_payment_changes_total", "status"),
              "held, another amount": total("rialto_payment_mismatches_total")}),
        ],
        "Processes": PROCESS + [
            ("table", "Versions", "none", "What runs where.", {"": "rialto_build_info{@}"}),
            ("lines", "Up since", "s", "How long each process has been running.",
             {"{{instance}}": "time() - process_start_time_seconds{@}"}),
        ],
    }),
    "actors": ("Actors", "The supervised actors: who waits, who works, who dies.", {
        "Supervision": [
            ("states", "State", "none", "Where each actor is in its life.",
             {"{{instance}} {{actor}} {{shard}}": 'rialto_actor_state{@,actor=~"$actor"}'}, ACTOR_STATES),
            ("table", "Tree", "short", "Each actor: state (2 is running), messages that wait and may wait, restarts, seconds since.", {
                "State": 'max by (instance, actor, shard) (rialto_actor_state{@,actor=~"$actor"})',
                "Depth": 'max by (instance, actor, shard) (rialto_actor_depth{@,actor=~"$actor"})',
                "Capacity": 'max by (instance, actor, shard) (rialto_actor_capacity{@,actor=~"$actor"})',
                "Restarts": 'sum by (instance, actor, shard) (increase(rialto_actor_restarts_total{@,actor=~"$actor"}[$__range]))',
                "Seconds since": 'max by (instance, actor, shard) (rialto_actor_since_restart_seconds{@,actor=~"$actor"})',
            }),
            ("lines", "Restarts", "short", "Fresh actors in the last minutes. A supervisor gives up at the sixth within 30 s.",
             {"{{actor}} {{shard}}": 'sum by (actor, shard) (increase(rialto_actor_restarts_total{@,actor=~"$actor"}[$__rate_interval]))'},
             {"green": None, "red": 3}),
            ("lines", "Since the last restart", "s", "How long the youngest actor of each name has been alive.",
             {"{{actor}} {{shard}}": 'min by (actor, shard) (rialto_actor_since_restart_seconds{@,actor=~"$actor"})'}),
        ],
        "Mailboxes": [
            ("lines", "Depth", "short", "Messages that wait.",
             {"{{actor}} {{shard}}": 'sum by (actor, shard) (rialto_actor_depth{@,actor=~"$actor"})'}),
            ("lines", "Fullness", "percentunit", "Messages that wait, of those that may. The next one beyond 100 % gets 503.",
             {"{{actor}} {{shard}}":
              'max by (actor, shard) (rialto_actor_depth{@,actor=~"$actor"} / rialto_actor_capacity{@,actor=~"$actor"})'},
             {"green": None, "yellow": 0.5, "red": 0.8}),
            ("lines", "Refused", "ops", "Messages turned away at the door: overloaded, quarantined or stopped.",
             {"{{actor}} {{shard}}": total("rialto_actor_refused_total", "actor, shard", ',actor=~"$actor"')}),
            ("lines", "Expired and lost", "ops", "Messages not started because they were late or abandoned, and those that died in hand.", {
                "{{actor}} {{shard}} expired": total("rialto_actor_expired_total", "actor, shard", ',actor=~"$actor"'),
                "{{actor}} {{shard}} lost": total("rialto_actor_lost_total", "actor, shard", ',actor=~"$actor"'),
            }),
        ],
        "Work": [
            ("lines", "Handled", "ops", "Messages handled a second.",
             {"{{actor}} {{shard}}": total("rialto_actor_handled_total", "actor, shard", ',actor=~"$actor"')}),
            ("lines", "Wait", "s", "How long messages wait in the mailbox.",
             quantiles("rialto_actor_wait_seconds", "actor, shard", ',actor=~"$actor"', (0.5, 0.99))),
            ("lines", "Handling", "s", "How long batches take.",
             quantiles("rialto_actor_handling_seconds", "actor, shard", ',actor=~"$actor"', (0.5, 0.99))),
        ],
    }),
    "payments": ("Payments and performance", "What callers ask, what they get and how fast; and what that costs.", {
        "Calls": [
            ("lines", "Throughput", "reqps", "Answers a second by route.",
             {"{{http_request_method}} {{http_route}}": total(REQUESTS + "_count", "http_request_method, http_route", PAYMENTS)}),
            ("lines", "Error rate", "percentunit", "Share of the calls of a route that got a 5xx.", {
                "all": ERROR_SHARE,
                "{{http_route}}": quotient(REQUESTS + "_count", "http_route", FAILED, PAYMENTS),
            }, {"green": None, "yellow": 0.0001, "red": 0.001}),
            ("lines", "Median latency", "s", "By route.", quantiles(REQUESTS, "http_route", PAYMENTS, (0.5,))),
            ("lines", "p95 latency", "s", "By route.", quantiles(REQUESTS, "http_route", PAYMENTS, (0.95,))),
            ("lines", "p99 latency", "s", "By route.", quantiles(REQUESTS, "http_route", PAYMENTS, (0.99,))),
            ("lines", "Connections of clients", "short", "Connections that are open.", {"{{instance}}": "rialto_http_connections{@}"}),
            ("lines", "Refused at the door", "ops",
             "Requests and connections refused before any handler saw them, by reason: see Connections in docs/operations.md.",
             {"{{reason}}": total("rialto_http_refused_total", "reason")}),
        ],
        "Payments": [
            ("lines", "Authorizations by outcome", "ops", "Payments that became AUTHORIZED, DECLINED, FAILED (never sent) or UNKNOWN, a second.",
             {"{{status}}": total("rialto_payment_changes_total", "status", ',status=~"AUTHORIZED|DECLINED|FAILED|UNKNOWN"')}),
            ("number", "Approval", "percentunit", "Share of the authorizations that the PSP decided on and approved: what never reached it counts for neither.",
             {"": share(total("rialto_payment_changes_total", where=',status="AUTHORIZED"'),
                        total("rialto_payment_changes_total", where=',status=~"AUTHORIZED|DECLINED"'))},
             {"red": None, "yellow": 0.5, "green": 0.8}),
            ("lines", "Limits", "ops", "Calls within and over a merchant's limits, and those decided by one host alone.", {
                "{{action}} allowed": total("rialto_rate_limiter_allowed_total", "action"),
                "{{action}} refused": total("rialto_rate_limiter_refused_total", "action"),
                "{{action}} local": total("rialto_rate_limiter_local_total", "action"),
            }),
            ("lines", "Idempotency", "ops", "Replays by the layer that answered, and refusals by reason.", {
                "replayed by {{layer}}": total("rialto_idempotency_hits_total", "layer"),
                "refused: {{reason}}": total("rialto_idempotency_conflicts_total", "reason"),
            }),
            ("lines", "Cache lookups", "ops", "Lookups of stored answers in the cache.", {
                "hit": total("rialto_idempotency_cache_hits_total"),
                "miss": total("rialto_idempotency_cache_misses_total"),
                "without the cache": total("rialto_idempotency_cache_errors_total"),
            }),
            ("states", "Without Redis", "none", "Whether limits, stored answers and leases do without Redis.", {
                "{{instance}} limits": "rialto_rate_limiter_degraded{@}",
                "{{instance}} answers": "rialto_idempotency_cache_degraded{@}",
                "{{instance}} leases": "rialto_leases_degraded{@}",
            }, DEGRADED),
        ],
        "The PSP": [
            ("lines", "Calls by outcome", "ops", "Calls to the PSP.",
             {"{{operation}} {{outcome}}": total("rialto_psp_call_seconds_count", "operation, outcome")}),
            ("lines", "Latency of the PSP", "s", "By operation.", quantiles("rialto_psp_call_seconds", "operation")),
        ],
        "What it costs": [
            ("lines", "Pool connections", "short", "Connections to databases and Redis that are in use or idle.",
             {"{{instance}} {{pool}} {{state}}": "rialto_pool_connections{@}"}),
            ("lines", "Pools in use", "percentunit", "Connections in use, of those that may be open.",
             {"{{instance}} {{pool}}":
              'sum by (instance, pool) (rialto_pool_connections{@,state="used"}) / sum by (instance, pool) (rialto_pool_connections_max{@})'},
             {"green": None, "yellow": 0.8, "red": 1}),
            ("lines", "Producer errors", "ops", "Events, or batches of them, that the event log did not take.",
             {"{{instance}}": total("rialto_event_log_produce_errors_total", "instance")}, {"green": None, "red": 0.01}),
            ("lines", "Shed", "ops", "New calls refused because a shard is overloaded.",
             {"shard {{shard}}": total("rialto_shard_shed_total", "shard")}),
        ] + PROCESS,
    }),
    "settlement": ("Settlement and refunds", "Captures, voids and refunds on their way to the PSP.", {
        "Success": [
            ("number", "Success rate", "percentunit", "Requests that ended well, of all that ended in the time shown.",
             {"{{task}}": quotient("rialto_psp_requests_total", "task", DONE, ENDED, "increase", "$__range")},
             {"red": None, "yellow": 0.95, "green": 0.99}),
            ("lines", "Success rate over time", "percentunit", "Requests that ended well, of all that ended.",
             {"{{task}}": quotient("rialto_psp_requests_total", "task", DONE, ENDED)}),
            ("lines", "Attempts by outcome", "ops", "Done, to be tried again, or failed for good.",
             {"{{task}} {{outcome}}": total("rialto_psp_requests_total", "task, outcome")}),
            ("bars", "Hourly throughput", "short", "Requests done in each hour.",
             {"{{task}}": f"sum by (task) (increase(rialto_psp_requests_total{{@{DONE}}}[1h]))"}),
        ],
        "States": [
            ("lines", "Captures by state", "ops", "Payments that entered a status of settlement, a second.",
             {"{{status}}": total("rialto_payment_changes_total", "status", ',status=~"CAPTURE.*|VOIDED|EXPIRED"')}),
            ("lines", "Refunds by state", "ops", "Payments that entered a status of refunding, a second.",
             {"{{status}}": total("rialto_payment_changes_total", "status", ',status=~".*REFUND.*"')}),
            ("lines", "Waiting", "short", "Events that wait for settlement and refund workers.",
             {"{{group}} {{topic}}": 'sum by (group, topic) (rialto_event_log_lag{@,group=~"settlement|refund"})'}),
        ],
        "Retries": [
            ("heat", "Retry distribution", "short", "How many attempts a request had needed when it ended.",
             {"{{le}}": "sum by (le) (increase(rialto_psp_request_attempts_bucket{@}[$__rate_interval]))"}),
            ("lines", "Attempts needed", "short", "When a request ended.",
             quantiles("rialto_psp_request_attempts", "task", qs=(0.5, 0.99))),
            ("lines", "Tried again", "percentunit", "Share of the attempts that have to be repeated.",
             {"{{task}}": quotient("rialto_psp_requests_total", "task", ',outcome="retried"', "")}),
            ("lines", "PSP latency", "s", "Of captures, voids and refunds.",
             quantiles("rialto_psp_call_seconds", "operation", ',operation=~"capture|void|refund"', (0.5, 0.95))),
            ("lines", "Dead letters", "short", "Requests given up, in the last hour.",
             {"{{topic}}": 'sum by (topic) (increase(rialto_dead_letters_buried_total{@,topic=~"settlement.dlq|refund.dlq"}[1h]))'},
             {"green": None, "yellow": 10, "red": 100}),
        ],
    }),
    "breakers": ("Breakers", "Who is protected from whom, and since when.", {
        "State": [
            ("states", "State", "none", "Of each process's breakers.",
             {"{{instance}} {{breaker}}": "rialto_breaker_state{@}"}, BREAKER_STATES),
            ("lines", "Forced for", "s", "How long operators have held each; who and why: `rialto breaker list`.",
             {"{{breaker}}": "max by (breaker) (rialto_breaker_forced_seconds{@})"}, {"green": None, "yellow": 3600, "red": 14400}),
            ("lines", "Refused", "ops", "Calls refused at once because the breaker was open.",
             {"{{breaker}}": total("rialto_breaker_refused_total", "breaker")}),
        ],
        "Calls": [
            ("lines", "Success and failure", "ops", "Calls that have ended, by outcome.",
             {"{{breaker}} {{outcome}}": total("rialto_breaker_calls_total", "breaker, outcome")}),
            ("lines", "Failure rate", "percentunit", "Of the window on which the breaker decides; it opens at half.",
             {"{{instance}} {{breaker}}": "rialto_breaker_failure_ratio{@}"}, {"green": None, "yellow": 0.25, "red": 0.5}),
            ("lines", "Slow-call rate", "percentunit", "Calls over 2 s, of the window on which the breaker decides; it opens at half.",
             {"{{instance}} {{breaker}}": "rialto_breaker_slow_ratio{@}"}, {"green": None, "yellow": 0.25, "red": 0.5}),
        ],
        "Duration": [
            ("lines", "Calls to the PSP", "s", "Behind the breaker psp.", quantiles("rialto_psp_call_seconds")),
            ("lines", "Writes to the event log", "s", "Behind the breaker event_log.", quantiles("rialto_event_log_produce_seconds")),
        ],
    }),
    "events": ("Outbox and Kafka", "From the commit to the consumers.", {
        "Outbox": [
            ("lines", "Pending", "short", "Committed events that wait to be published.",
             {"shard {{shard}}": "max by (shard) (rialto_outbox_pending{@})"}),
            ("lines", "Age of the oldest", "s", "How long the oldest of them has waited.",
             {"shard {{shard}}": "max by (shard) (rialto_outbox_oldest_age_seconds{@})"}, {"green": None, "yellow": 30, "red": 300}),
            ("lines", "Published", "ops", "Events published a second.",
             {"shard {{shard}}": total("rialto_outbox_published_total", "shard")}),
            ("lines", "Failures", "ops", "Batches that could not be published for now.",
             {"shard {{shard}}": total("rialto_outbox_failures_total", "shard")}),
            ("lines", "Refused", "short", "Events that their topic does not take, each of another payment, whose later events wait behind it.",
             {"shard {{shard}} {{topic}}": "max by (shard, topic) (rialto_outbox_refused{@}) or vector(0)"}, NEVER),
        ],
        "Event log": [
            ("lines", "Produce latency", "s", "How long the event log takes to acknowledge.",
             quantiles("rialto_event_log_produce_seconds")),
            ("lines", "Produce errors", "ops", "Writes that it did not take.",
             {"{{instance}}": total("rialto_event_log_produce_errors_total", "instance")}),
            ("states", "Breaker", "none", "Of the event log, in each process.",
             {"{{instance}}": 'rialto_breaker_state{@,breaker="event_log"}'}, BREAKER_STATES),
        ],
        "Consumers": [
            ("lines", "Lag by group", "short", "Events that wait for a group.",
             {"{{group}} {{topic}}": "sum by (group, topic) (rialto_event_log_lag{@})"}, {"green": None, "yellow": 1000, "red": 10000}),
            ("lines", "Lag by partition", "short", "The same, partition by partition.",
             {"{{group}} {{topic}} {{partition}}": "max by (group, topic, partition) (rialto_event_log_lag{@})"}),
        ],
        "Leases": [
            ("states", "Held", "none", "Which process publishes, retries and resolves for which shard.",
             {"{{instance}} {{lease}}": "rialto_lease_held{@}"}, HELD),
            ("lines", "Lost", "ops", "Leases that a process held and another took.",
             {"{{lease}}": total("rialto_lease_losses_total", "lease")}),
            ("lines", "Steps of jobs", "ops", "Steps that background jobs took: done, or failed and put off.",
             {"{{name}} {{outcome}}": total("rialto_job_steps_total", "name, outcome")}),
            ("lines", "Time of a step", "s", "How long the slowest of a hundred steps took.",
             quantiles("rialto_job_step_seconds", "name", qs=(0.99,))),
        ],
    }),
    "shards": ("Shards and ledger", "The databases, their writers, and the books.", {
        "Databases": [
            ("states", "Up", "none", "Whether each process reaches the database of each shard.",
             {"{{instance}} shard {{shard}}": "rialto_shard_up{@}"}, UP),
            ("lines", "Commits", "ops", "Transactions a second.", {"shard {{shard}}": total("rialto_shard_commit_seconds_count", "shard")}),
            ("lines", "Commit time", "s", "From reading a batch's rows to its commit.", quantiles("rialto_shard_commit_seconds", "shard")),
            ("lines", "Batch size", "short", "Commands committed together.", quantiles("rialto_shard_batch_size", "shard", qs=(0.5, 0.99))),
            ("lines", "Conflicts and halvings", "ops",
             "Batches repeated because another writer was first, and those cut in two because of one command.", {
                 "shard {{shard}} repeated": total("rialto_shard_conflicts_total", "shard"),
                 "shard {{shard}} halved": total("rialto_shard_halvings_total", "shard"),
             }),
            ("lines", "Rows that cannot be read", "short", "Met within an hour; each is passed over, and somebody has to mend it.",
             {"shard {{shard}} {{table}}": "sum by (shard, table) (increase(rialto_unreadable_rows_total{@}[1h]))"}),
            ("lines", "Clock doubted", "none", "At 1 while a clock that was set is not believed: nothing expires.",
             {"{{instance}}": "max by (instance) (rialto_clock_doubted{@})"}),
            ("lines", "Shed", "ops", "New calls refused because the shard is overloaded.",
             {"shard {{shard}}": total("rialto_shard_shed_total", "shard")}),
            ("lines", "Connections", "short", "To the shards' databases.",
             {"{{instance}} {{pool}} {{state}}": 'rialto_pool_connections{@,pool=~"shard.*"}'}),
            ("lines", "Writers' mailboxes", "percentunit", "How full they are.",
             {"{{instance}} shard {{shard}}": 'rialto_actor_depth{@,actor="shard_writer"} / rialto_actor_capacity{@,actor="shard_writer"}'},
             {"green": None, "yellow": 0.5, "red": 0.8}),
        ],
        "Control store": [
            ("states", "Control store", "none", "Whether each process reaches the control store. Payments go on without.",
             {"{{instance}}": "rialto_control_store_up{@}"}, UP),
            ("lines", "Actions that wait", "short", "What operators did and the control store does not have yet.",
             {"shard {{shard}}": "max by (shard) (rialto_operator_actions_waiting{@})"}),
            ("lines", "Age of the oldest action", "s", "How long the oldest of them has waited.",
             {"shard {{shard}}": "max by (shard) (rialto_operator_actions_oldest_age_seconds{@})"}, {"green": None, "red": 600}),
        ],
        "Ledger": [
            ("number", "Imbalance", "short", "By how many minor units debits and credits differ on a shard. Anything but 0 is wrong.",
             {"shard {{shard}}": "max by (shard) (rialto_ledger_imbalance{@})"}, NEVER),
            ("lines", "Imbalance over time", "short", "The same; it must be a flat line at 0.",
             {"shard {{shard}}": "max by (shard) (rialto_ledger_imbalance{@})"}, NEVER),
            ("lines", "Entries", "ops", "Captures and refunds booked a second.",
             {"shard {{shard}} {{kind}}": total("rialto_ledger_entries_total", "shard, kind")}),
        ],
    }),
    "dead-letters": ("Dead letters", "What could not be applied and waits for a person.", {
        "Letters": [
            ("number", "Open", "short", "Letters that wait, by topic.",
             {"{{topic}}": "max by (topic) (rialto_dead_letters_open{@})"}, {"green": None, "yellow": 1, "red": 100}),
            ("number", "In the last hour", "short", "Letters buried: above 10 somebody is told, above 100 somebody is woken.",
             {"{{topic}}": "sum by (topic) (increase(rialto_dead_letters_buried_total{@}[1h]))"},
             {"green": None, "yellow": 10, "red": 100}),
            ("lines", "Open over time", "short", "Letters that wait, by topic.",
             {"{{topic}}": "max by (topic) (rialto_dead_letters_open{@})"}),
            ("bars", "Buried by hour", "short", "Letters buried in each hour.",
             {"{{topic}}": "sum by (topic) (increase(rialto_dead_letters_buried_total{@}[1h]))"}),
        ],
        "Where they come from": [
            ("lines", "Requests that failed", "ops", "Captures, voids and refunds given up.",
             {"{{task}}": total("rialto_psp_requests_total", "task", ',outcome="failed"')}),
            ("lines", "Deaths of actors", "short", "Restarts of those who apply events: a message that kills twice is quarantined.",
             {"{{actor}} {{shard}}": "sum by (actor, shard) (increase(rialto_actor_restarts_total{@}[$__rate_interval]))"}),
            ("lines", "Messages that died in hand", "ops", "They are described under /admin/actors/dead-letters.",
             {"{{actor}} {{shard}}": total("rialto_actor_lost_total", "actor, shard")}),
        ],
    }),
}
