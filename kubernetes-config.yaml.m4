include(config.m4)dnl
define(`K_ROW', `        - name: `$1'
          value: "defn(`K_$1')"
')dnl
dnl One job with one container. WSF defines K_<PARAM>, IMAGENAME, IMAGEPOLICY and NODEAFFINITY. Each K_<PARAM> holds
dnl what stands between double quotes in YAML, escaped by wsf-settings, so no value ends its string.
dnl No parameter says how many CPUs the pod gets: RECONFIG_OPTIONS="-DK_CPUS=56 -DK_MEMORY=64Gi" does, and makes it
dnl of the guaranteed class (requests equal to limits in whole CPUs), which the static CPU manager gives CPUs of its own.
apiVersion: batch/v1
kind: Job
metadata:
  name: resnet50-pytorch-xeon-public-benchmark
spec:
  backoffLimit: 0
  template:
    metadata:
      labels:
        app: resnet50-pytorch-xeon-public-benchmark
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      # The image names its user; the kubelet believes only a number.
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        runAsGroup: 1000
        seccompProfile:
          type: RuntimeDefault
      NODEAFFINITY(preferred,HAS-SETUP-BKC-AI,"yes")
      containers:
      - name: resnet50-pytorch-xeon-public-benchmark
        image: IMAGENAME(Dockerfile.1.inference)
        imagePullPolicy: IMAGEPOLICY(Always)
ifdef(`K_CPUS', `dnl
        resources:
          requests: &resources
            cpu: K_CPUS
            memory: ifdef(`K_MEMORY', `K_MEMORY', `16Gi')
          limits: *resources
')dnl
        env:
K_ROW(`WORKLOAD')dnl
K_ROW(`PLATFORM')dnl
K_ROW(`FUNCTION')dnl
K_ROW(`MODE')dnl
K_ROW(`CASE_TYPE')dnl
K_ROW(`PRECISION')dnl
K_ROW(`TOPOLOGY')dnl
K_ROW(`DATA_TYPE')dnl
K_ROW(`DATASET')dnl
K_ROW(`WEIGHTS')dnl
K_ROW(`QCONF')dnl
K_ROW(`ACCURACY_TARGET')dnl
K_ROW(`CHECKPOINT')dnl
K_ROW(`BATCH_SIZE')dnl
K_ROW(`CORES_PER_INSTANCE')dnl
K_ROW(`INSTANCE_MODE')dnl
K_ROW(`STEPS')dnl
K_ROW(`WARMUP_STEPS')dnl
K_ROW(`MIN_DURATION')dnl
K_ROW(`TARGET_QPS')dnl
K_ROW(`LATENCY_BOUND_MS')dnl
K_ROW(`LATENCY_PERCENTILE')dnl
K_ROW(`FAIL_ON_NOISY')dnl
K_ROW(`WEIGHT_SHARING')dnl
K_ROW(`TORCH_TYPE')dnl
K_ROW(`VERBOSE')dnl
K_ROW(`CUSTOMER_ENV')dnl
        securityContext:
          privileged: false
          allowPrivilegeEscalation: false
          capabilities:
            drop: ["ALL"]
            add: ["SYS_NICE"]
        volumeMounts:
        - name: shm
          mountPath: /dev/shm
      volumes:
      - name: shm
        emptyDir:
          medium: Memory
          sizeLimit: 4Gi
