# Written by roost: what is installed in SOFTWARE is there on all nodes.
if [ "$(id -u)" -ge 1000 ]; then
    PATH=SOFTWARE/bin:$PATH
    if [ -d SOFTWARE/python ]; then
        export VIRTUAL_ENV=SOFTWARE/python UV_CACHE_DIR=SOFTWARE/cache/uv
        PATH=$VIRTUAL_ENV/bin:$PATH
    fi
fi
