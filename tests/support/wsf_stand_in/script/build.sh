# STAND-IN for WSF's script/build.sh: docker runs in the background, and waited for with its status only when told to.
for option in "$@"; do [ "$option" != --bom ] || bom=yes; [ "$option" != --exit-on-error ] || wait_option=-n; done
for file in "$SOURCEROOT"/Dockerfile.[1-9].*; do
    if [ -n "${bom:-}" ]; then grep -E '^ARG [A-Z0-9_]+_(VER|REPO)=' "$file"; continue; fi
    docker build ${BUILD_OPTIONS:-} -f "$file" "$SOURCEROOT" &
    wait ${wait_option:-}
done
