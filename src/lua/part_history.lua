-- The history of a job with one attempt more: a JSON array whose entries begin with {"run": (no quote inside a text is bare), the oldest
-- dropped. Needs: now_text, quoted.
local HISTORY_MAX = 20

local function noted(history, run, worker, text)
  local entry = '{"run":' .. run .. ',"at":' .. now_text .. ',"worker":' .. quoted(worker or '') .. ',"error":' .. quoted(text) .. '}'
  if not history or #history < 3 then return '[' .. entry .. ']' end
  local _, count = string.gsub(history, '{"run":', '')
  if count >= HISTORY_MAX then
    history = '[' .. string.sub(history, string.find(history, ',{"run":', 2, true) + 1)
  end
  return string.sub(history, 1, -2) .. ',' .. entry .. ']'
end
