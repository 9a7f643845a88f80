-- Puts tokens back into buckets that `take.lua` has taken them from; a bucket that is full stays full.
-- KEYS: the buckets. ARGV: for each bucket how many tokens come back. Answers nothing.
local TOKEN = 60000000
for i, key in ipairs(KEYS) do
  local lacks, since = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
  if lacks then
    lacks = lacks - ARGV[i] * TOKEN
    if lacks > 0 then
      -- It may be forgotten later than it needs to be, which nobody notices.
      redis.call('SET', key, string.format('%.0f %s', lacks, since), 'KEEPTTL')
    else
      redis.call('DEL', key)
    end
  end
end
return {}
