-- A user's notifications, and that they do not grow. Needs: call.
local inbox, order, unread = KEYS[1], KEYS[2], KEYS[3]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function drop(ids)
  if #ids == 0 then return end
  call('ZREM', order, unpack(ids))
  call('HDEL', inbox, unpack(ids))
  call('SREM', unread, unpack(ids))
end

local function drop_old(kept_ms)
  drop(call('ZRANGEBYSCORE', order, '-inf', now - kept_ms))
end
