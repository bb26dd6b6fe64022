#!/bin/bash
six=$(python -c 'import six; print(six.__version__)')
roosting=$(Rscript -e 'stopifnot(roosting::twice(21) == 42); cat(format(packageVersion("roosting")))')
echo "$(hostname): six $six, roosting $roosting"
