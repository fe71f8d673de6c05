-- Flows for wrk: each thread has one connection, to one of the processes, and sends one request after the other.
-- init.lua before it says: ports, tokens, path, first, completes, seed.
local ffi = require("ffi")
ffi.cdef([[ typedef struct { long s; long ns; } when_t; int clock_gettime(int, when_t *); ]])
local when = ffi.new("when_t")
local function now()
  ffi.C.clock_gettime(1, when)
  return tonumber(when.s) + tonumber(when.ns) / 1e9
end

local threads = {}

function setup(thread)
  thread.addr = wrk.lookup("127.0.0.1", ports[#threads % #ports + 1])[1]
  thread:set("number", #threads)
  table.insert(threads, thread)
end

-- Global, for `done` to read.
times, failed, trouble = {}, 0, ""
local session, begun, turn = nil, 0, 0

function init()
  math.randomseed(seed + (number or 0))
  turn = (number or 0) * 7919
end

function request()
  local headers = { ["Content-Type"] = "application/json" }
  -- Strangers have addresses of their own, and users tokens.
  if #tokens > 0 then
    headers["Authorization"] = "Bearer " .. tokens[turn % #tokens + 1]
  else
    local part = function() return math.random(1, 254) end
    headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", part(), part(), part())
  end
  if session then
    local auth = string.format('"auth":{"type":"m.login.dummy","session":"%s"}', session)
    return wrk.format("POST", path, headers, "{" .. auth .. "," .. first:sub(2))
  end
  begun = now()
  return wrk.format("POST", path, headers, first)
end

function response(status, _, body)
  local wanted = session and 200 or 401
  local asked = not session and body:match('"session":"([^"]+)"')
  if status ~= wanted or (wanted == 401 and not asked) then
    failed, trouble, session = failed + 1, status .. " " .. body:sub(1, 200), nil
    return
  end
  session = completes and asked or nil
  if not session then
    table.insert(times, now() - begun)
    turn = turn + 1
  end
end

function done(summary)
  local all, failures, why = {}, 0, ""
  for _, thread in ipairs(threads) do
    for _, time in ipairs(thread:get("times")) do table.insert(all, time) end
    failures = failures + thread:get("failed")
    why = thread:get("trouble") ~= "" and thread:get("trouble") or why
  end
  table.sort(all)
  local at = function(part) return all[math.max(1, math.ceil(#all * part))] or 0 end
  print(string.format("FLOWS %d %d %.6f %.6f %.3f", #all, failures, at(0.5), at(0.99), summary.duration / 1e6))
  if why ~= "" then print("TROUBLE " .. why) end
end
