-- Ends leases, as far as they are the holder's. KEYS: the leases. ARGV: the holder.
for _, key in ipairs(KEYS) do
  local token, held_by = string.match(redis.call('GET', key) or '', '^(%d+) %d+ (.*)$')
  if held_by == ARGV[1] then
    redis.call('SET', key, token .. ' 0 ' .. held_by, 'KEEPTTL')
  end
end
