divert(-1)dnl STAND-IN for WSF's config.m4
define(`IMAGENAME', `registry/image-of-$1:latest')
define(`IMAGEPOLICY', `$1')
define(`NODEAFFINITY', `affinity:
        nodeAffinity:
          $1`'DuringSchedulingIgnoredDuringExecution:
          - weight: 1
            preference:
              matchExpressions: [{key: $2, operator: In, values: [$3]}]')
divert(0)dnl
