# shellcheck shell=sh
# Sourced by the scripts that install what is missing on a machine. $tool is the name they speak under.

say() { echo "$tool: $*"; }
fail() { echo "$tool: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif has sudo; then sudo "$@"
    else fail "cannot install without root or sudo; as root, run: $*"
    fi
}

# install_package NAME-FOR-APT NAME-FOR-DNF NAME-FOR-BREW
install_package() {
    if has apt-get; then
        say "installing $1 with apt-get"
        as_root apt-get update -qq || fail "apt-get update failed"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null ||
            fail "apt-get could not install $1"
    elif has dnf; then
        say "installing $2 with dnf"
        as_root dnf install -y -q "$2" || fail "dnf could not install $2"
    elif has brew; then
        say "installing $3 with brew"
        brew install --quiet "$3" || fail "brew could not install $3"
    else
        fail "$3 is missing and there is no apt-get, dnf or brew to install it with"
    fi
}

# install_from_pypi PACKAGE VERSION: into a directory of its own below ~/.cache/rialto, which is $pypi then.
install_from_pypi() {
    pypi=${XDG_CACHE_HOME:-$HOME/.cache}/rialto/$1-$2
    if [ -e "$pypi/complete" ]; then return 0; fi
    has python3 || install_package python3 python3 python3
    # Debian packs it apart.
    python3 -c 'import ensurepip' 2>/dev/null || install_package python3-venv python3 python3
    say "installing $1 $2 from PyPI into $pypi"
    if ! python3 -m venv --clear "$pypi" || ! "$pypi/bin/pip" install -q --disable-pip-version-check "$1==$2"; then
        say "$1 cannot be had from PyPI" >&2
        exit 69 # EX_UNAVAILABLE, as sysexits.h has it
    fi
    touch "$pypi/complete"
}
