-- Takes or renews leases, at the server's time.
-- KEYS: the leases. ARGV: the holder; the lease's time in milliseconds; how long a lease is remembered that nobody
-- wants any more. Answers, for each lease: its token and the holder, or nil and who holds it.
--
-- A lease is its token, its end and its holder. It outlives its end, so that the next holder's token is a higher one;
-- after a FLUSHALL it is higher because tokens are never below the time.
local holder, ttl, kept = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}
for i, key in ipairs(KEYS) do
  local token, ends, held_by = string.match(redis.call('GET', key) or '', '^(%d+) (%d+) (.*)$')
  token, ends = tonumber(token) or 0, tonumber(ends) or 0
  if held_by == holder or ends <= now then
    if held_by ~= holder then
      token = math.max(token + 1, now)
    end
    redis.call('SET', key, string.format('%.0f %.0f ', token, now + ttl) .. holder, 'PX', kept)
    answers[i] = {token, holder}
  else
    answers[i] = {false, held_by}
  end
end
return answers
