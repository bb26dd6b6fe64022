-- Written by roost: says so when a job's output would be lost on the node that runs it.
local shared = "SHARED"

local function is_shared(folder)
   return folder == shared or string.sub(folder, 1, #shared + 1) == shared .. "/"
end

function slurm_job_submit(job, partitions, uid)
   local batch = job.script ~= nil and job.script ~= ""
   if batch and shared ~= "" and job.work_dir ~= nil and not is_shared(job.work_dir) then
      slurm.user_msg(job.work_dir .. " is not on all nodes: what the job writes stays on the node"
         .. " that runs it; " .. shared .. " is on all")
   end
   return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, uid)
   return slurm.SUCCESS
end
