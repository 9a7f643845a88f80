-- Takes tokens from buckets, all at the server's time.
-- KEYS: the buckets. ARGV: for each bucket its size, which is also how many tokens it gains in a minute, and how many
-- tokens are wanted. Answers, for each bucket: how many tokens it had, and in how many microseconds, once the wanted
-- ones are taken as far as they go, it has one more.
--
-- A bucket is what it lacks and since when. One token is 60 000 000 parts and a microsecond brings `size` parts, so that
-- everything is a whole number; below 150 million tokens a minute all of them are exact in a double.
local TOKEN = 60000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answers = {}
for i, key in ipairs(KEYS) do
  local size, wanted = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local lacks, since = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
  -- The server's clock may have been put back: then no time has passed.
  lacks = lacks and math.max(0, lacks - math.max(0, now - since) * size) or 0
  local had = math.floor((size * TOKEN - lacks) / TOKEN)
  local taken = math.min(wanted, had)
  if taken > 0 then
    lacks = lacks + taken * TOKEN
    local full_in_ms = math.ceil(lacks / size / 1000)
    redis.call('SET', key, string.format('%.0f %.0f', lacks, now), 'PX', string.format('%.0f', full_in_ms))
  end
  answers[2 * i - 1] = had
  answers[2 * i] = math.max(0, math.ceil((lacks + TOKEN - size * TOKEN) / size))
end
return answers
