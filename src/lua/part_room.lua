-- A run is over: whoever waits for its room is touched, so that workers, who follow these keys, look at once. Needs: call, list, priority,
-- delayed, base, now.

-- Of its type: the first that the limit holds back is due. The next take lets it through.
local function room_in_type(type_name)
  local first = call('ZREVRANGE', base .. 'limited:' .. type_name, 0, 0)
  if first[1] then call('ZADD', delayed, 'XX', now, first[1]) end
end

-- Of its queue, when that is limited itself.
local function room_in_queue()
  if call('HGET', base .. 'limits', 'at_once') and not call('LMOVE', list, list, 'RIGHT', 'RIGHT') then
    local top = call('ZPOPMAX', priority)
    if top[1] then call('ZADD', priority, top[2], top[1]) end
  end
end
