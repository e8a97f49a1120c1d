include(config.m4)dnl
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
        - name: `WORKLOAD'
          value: "defn(`K_WORKLOAD')"
        - name: `PLATFORM'
          value: "defn(`K_PLATFORM')"
        - name: `FUNCTION'
          value: "defn(`K_FUNCTION')"
        - name: `MODE'
          value: "defn(`K_MODE')"
        - name: `CASE_TYPE'
          value: "defn(`K_CASE_TYPE')"
        - name: `PRECISION'
          value: "defn(`K_PRECISION')"
        - name: `TOPOLOGY'
          value: "defn(`K_TOPOLOGY')"
        - name: `DATA_TYPE'
          value: "defn(`K_DATA_TYPE')"
        - name: `DATASET'
          value: "defn(`K_DATASET')"
        - name: `WEIGHTS'
          value: "defn(`K_WEIGHTS')"
        - name: `QCONF'
          value: "defn(`K_QCONF')"
        - name: `ACCURACY_TARGET'
          value: "defn(`K_ACCURACY_TARGET')"
        - name: `CHECKPOINT'
          value: "defn(`K_CHECKPOINT')"
        - name: `BATCH_SIZE'
          value: "defn(`K_BATCH_SIZE')"
        - name: `CORES_PER_INSTANCE'
          value: "defn(`K_CORES_PER_INSTANCE')"
        - name: `INSTANCE_MODE'
          value: "defn(`K_INSTANCE_MODE')"
        - name: `STEPS'
          value: "defn(`K_STEPS')"
        - name: `WARMUP_STEPS'
          value: "defn(`K_WARMUP_STEPS')"
        - name: `MIN_DURATION'
          value: "defn(`K_MIN_DURATION')"
        - name: `FAIL_ON_NOISY'
          value: "defn(`K_FAIL_ON_NOISY')"
        - name: `WEIGHT_SHARING'
          value: "defn(`K_WEIGHT_SHARING')"
        - name: `TORCH_TYPE'
          value: "defn(`K_TORCH_TYPE')"
        - name: `VERBOSE'
          value: "defn(`K_VERBOSE')"
        - name: `CUSTOMER_ENV'
          value: "defn(`K_CUSTOMER_ENV')"
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
