#!/usr/bin/env Rscript
number <- as.integer(Sys.getenv("SLURM_ARRAY_TASK_ID"))
cat(number, sum((1:number)^2), Sys.info()[["nodename"]], "\n")
