-- What becomes of a job is told on the channel of all, its own, and its user's. Needs: call, channel, now_text.

-- more: further members, each with a comma before it; none when absent
local function tell(id, user, what, status, more)
  local known = user and user ~= ''
  local message = '{"type":"task_' .. what .. '","task_id":' .. cjson.encode(id) .. ',"user_id":' .. (known and cjson.encode(user) or 'null') ..
    ',"status":"' .. status .. '"' .. (more or '') .. ',"timestamp":' .. now_text .. '}'
  call('PUBLISH', channel, message)
  call('PUBLISH', channel .. ':task:' .. id, message)
  if known then call('PUBLISH', channel .. ':user:' .. user, message) end
end
