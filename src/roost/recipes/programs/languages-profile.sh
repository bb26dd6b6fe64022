# Written by roost: what is installed in @ is there on all nodes.
if [ "$(id -u)" -ge 1000 ]; then
    PATH=@/bin:$PATH
    if [ -d @/python ]; then
        export VIRTUAL_ENV=@/python UV_CACHE_DIR=@/cache/uv
        PATH=$VIRTUAL_ENV/bin:$PATH
    fi
fi
