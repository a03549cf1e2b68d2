-- Health of a CCFNetwork (ccf.dev) for Argo CD. docs/how-to/gitops.md says where it goes, docs/reference/conditions.md what it means.
-- Lua 5.1 without the libraries string and math: what Argo CD offers by default.
local health = { status = "Progressing", message = "The operator has not looked at it yet" }

local status = obj.status
if status == nil or status.conditions == nil then
  return health
end

local generation = obj.metadata.generation
if generation ~= nil and status.observedGeneration ~= generation then
  health.message = "The operator has not looked at the latest change yet"
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function is_true(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local function judged(code, kind)
  health.status = code
  local condition = conditions[kind]
  if condition ~= nil and condition.message ~= nil and condition.message ~= "" then
    health.message = condition.reason .. ": " .. condition.message
  else
    health.message = status.message or ""
  end
  return health
end

if obj.metadata.deletionTimestamp ~= nil then
  return judged("Progressing", "Ready")
end
if is_true("Stalled") then
  return judged("Degraded", "Stalled")
end
if is_true("GovernanceRequired") then
  return judged("Suspended", "GovernanceRequired")
end
if is_true("Reconciling") or not is_true("Ready") then
  return judged("Progressing", "Reconciling")
end
return judged("Healthy", "Ready")
