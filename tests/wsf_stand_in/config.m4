divert(-1)dnl STAND-IN for WSF's config.m4
define(`IMAGENAME', `registry/image-of-$1:latest')
define(`IMAGEPOLICY', `$1')
divert(0)dnl
