#!lua flags=allow-oom
-- inbox_list.lua: a page of a user's notifications, newest first. What is too old goes; nothing else changes.
-- keys: the user's notifications, their order, those unread
-- args: how long they are kept in ms, the id after which the page begins ('': the newest), most of the page
-- result: {number unread, whether older ones follow, then for each: id, when (ms), whether it is unread, what is kept}
local call = redis.call
local kept_ms, after, most = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- include part_inbox.lua

drop_old(kept_ms)
local result, below = {call('SCARD', unread), 0}, '+inf'
if after ~= '' then
  local score = call('ZSCORE', order, after)
  if not score then return result end
  below = '(' .. score
end
local found = call('ZREVRANGEBYSCORE', order, below, '-inf', 'WITHSCORES', 'LIMIT', 0, most + 1)
if #found > 2 * most then result[2] = 1 end
local is_unread = {}
for _, id in ipairs(call('SMEMBERS', unread)) do is_unread[id] = true end
for i = 1, math.min(#found, 2 * most), 2 do
  local entry = call('HGET', inbox, found[i])
  if entry then
    result[#result + 1] = found[i]
    result[#result + 1] = found[i + 1]
    result[#result + 1] = is_unread[found[i]] and 1 or 0
    result[#result + 1] = entry
  end
end
return result
