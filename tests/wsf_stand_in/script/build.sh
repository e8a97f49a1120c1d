echo "STAND-IN build.sh $*"
