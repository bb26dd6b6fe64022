# A package of R, made and installed as a user does it, with a part in C.
folder <- file.path(tempdir(), "roosting")
dir.create(file.path(folder, "R"), recursive = TRUE)
dir.create(file.path(folder, "src"))
writeLines(c(
  "Package: roosting", "Version: 0.7", "Title: Counts Birds", "Description: Counts birds.",
  "Author: Nobody", "Maintainer: Nobody <nobody@example.org>", "License: MIT"
), file.path(folder, "DESCRIPTION"))
writeLines(c("useDynLib(roosting)", "export(twice)"), file.path(folder, "NAMESPACE"))
writeLines("twice <- function(n) .C(\"twice\", n = as.integer(n))$n", file.path(folder, "R", "a.R"))
writeLines("void twice(int *n) { *n *= 2; }", file.path(folder, "src", "twice.c"))
install.packages(folder, repos = NULL, type = "source", quiet = TRUE)
stopifnot(roosting::twice(21) == 42)
