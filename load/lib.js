// What both scripts share: where to send, whom to charge, and what counts as success.
import http from 'k6/http';
import { check } from 'k6';
import exec from 'k6/execution';

const url = __ENV.RIALTO_URL || 'http://127.0.0.1:8080';
const headers = { 'Content-Type': 'application/json' };
// Keys of two runs must differ.
const run = __ENV.RIALTO_RUN || `k6-${Date.now()}`;
const MERCHANTS = 1000;

// Failures of the script itself would be counted as a 200 that is missing.
http.setResponseCallback(http.expectedStatuses(200));

// Options of a script that starts `rate` iterations a second for `duration`, however slow the server is.
export function arrivals({ rate, duration, preAllocatedVUs, maxVUs, thresholds }) {
  return {
    scenarios: {
      arrivals: {
        executor: 'constant-arrival-rate',
        rate: Number(__ENV.RATE || rate),
        timeUnit: '1s',
        duration: __ENV.DURATION || duration,
        preAllocatedVUs,
        maxVUs,
      },
    },
    summaryTrendStats: ['avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
    thresholds: { checks: ['rate==1'], http_req_failed: ['rate==0'], dropped_iterations: ['count==0'], ...thresholds },
  };
}

export function post(path, body, name) {
  const answer = http.post(`${url}/payments/${path}`, JSON.stringify(body), { headers, tags: { name } });
  check(answer, { '200': (a) => a.status === 200 });
  return answer;
}

export function authorize() {
  const number = exec.scenario.iterationInTest;
  const merchantId = `MERCHANT-${1 + (number % MERCHANTS)}`;
  const amount = 1000 + (number % 999000);
  const answer = post('authorize', { merchantId, amount, currency: 'KRW', idempotencyKey: `${run}-${number}` }, 'authorize');
  return { merchantId, answer };
}

// Writes the summary where RIALTO_RESULT says, beside the one for people.
export function summary(data) {
  const results = {};
  for (const [name, metric] of Object.entries(data.metrics)) {
    if (/^(http_req|iteration|checks|dropped|vus)/.test(name)) results[name] = metric;
  }
  const kept = { when: new Date().toISOString(), durationMs: data.state.testRunDurationMs, metrics: results };
  const lines = Object.entries(results).map(([name, metric]) => {
    const values = Object.entries(metric.values).map(([key, value]) => `${key}=${Math.round(value * 1000) / 1000}`);
    const bounds = Object.entries(metric.thresholds || {}).map(([text, { ok }]) => `${ok ? 'held' : 'MISSED'}: ${text}`);
    return `${name}: ${values.concat(bounds).join('  ')}`;
  });
  const out = { stdout: `${lines.join('\n')}\n` };
  if (__ENV.RIALTO_RESULT) out[__ENV.RIALTO_RESULT] = JSON.stringify(kept, null, 1);
  return out;
}
