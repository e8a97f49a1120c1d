# What WSF would provide: the settings, add_workload and add_testcase.
set(PLATFORM auto CACHE STRING "CPU generation: auto or the name of a cmake/<PLATFORM>.cmake")
set(BACKEND auto CACHE STRING "Where a case runs: auto native docker podman kubernetes slurm")
set(REGISTRY "" CACHE STRING "Registry of the images, with a trailing slash; empty for local images")
set(RELEASE "" CACHE STRING "Tag of the images, with its colon; empty for :latest")
set(TIMEOUT 3600 CACHE STRING "Seconds that a case may take")
set(RESULTS "" CACHE PATH "Where cases run and leave their logs; empty: below the build folder")
set(backends auto native docker podman kubernetes slurm)
set_property(CACHE BACKEND PROPERTY STRINGS ${backends})

find_program(PYTHON3 python3 REQUIRED)
set(resnet50_bench "${CMAKE_CURRENT_SOURCE_DIR}/scripts/resnet50-bench.sh")

if(PLATFORM STREQUAL "auto")
  execute_process(COMMAND "${resnet50_bench}" detect-platform OUTPUT_VARIABLE PLATFORM
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(platform_is "detected")
else()
  set(platform_is "chosen")
endif()
string(REGEX REPLACE "[][*?]" "[\\0]" here "${CMAKE_CURRENT_SOURCE_DIR}") # as itself in a pattern
file(GLOB platforms RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}/cmake" "${here}/cmake/*.cmake")
list(REMOVE_ITEM platforms matrix.cmake standalone.cmake)
list(TRANSFORM platforms REPLACE "\\.cmake$" "")
if(NOT PLATFORM IN_LIST platforms)
  string(REPLACE ";" ", " platforms "${platforms}")
  message(FATAL_ERROR "PLATFORM=${PLATFORM} is not one of auto, ${platforms}")
endif()
message(STATUS "PLATFORM: ${PLATFORM} (${platform_is}); BACKEND: ${BACKEND}")

# A misspelt setting would show only when a case runs, or cut its time short.
if(NOT BACKEND IN_LIST backends)
  message(FATAL_ERROR "BACKEND=${BACKEND} is not one of ${backends}")
endif()
if(NOT TIMEOUT MATCHES "^0*[1-9][0-9]*$")
  message(FATAL_ERROR "TIMEOUT=${TIMEOUT} is not a number of seconds. Allowed are 1, 2, 3 ...")
endif()

# add_workload(<name>): the folder that users run ctest.sh in; sets `workload` for the caller.
function(add_workload name)
  set(folder "${CMAKE_BINARY_DIR}/workload/ResNet50-Pytorch-Xeon-Public")
  if(RESULTS)
    set(folder "${RESULTS}") # of another build folder, which has its own ctest.sh there
  endif()
  file(MAKE_DIRECTORY "${folder}")
  if(NOT RESULTS)
    # Between single quotes the shell evaluates nothing; one in a path ends them, stands alone, and begins them anew.
    string(REPLACE "'" "'\\''" checkouts "${CMAKE_CURRENT_SOURCE_DIR}")
    set(checkouts "'${checkouts}'")
    # A build folder inside its checkout is moved and copied with it: there the nearest checkout is the right one.
    file(RELATIVE_PATH up "${CMAKE_BINARY_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
    if(up MATCHES "^[./]+$")
      set(checkouts "\"$build/${up}\" ${checkouts}")
    endif()
    file(WRITE "${folder}/ctest.sh" "#!/usr/bin/env bash\n"
         "build=$(readlink -f -- \"$(dirname -- \"$(readlink -f -- \"\${BASH_SOURCE[0]}\")\")/../..\")\n"
         "for checkout in ${checkouts}; do\n"
         "    [ ! -x \"$checkout/ctest.sh\" ] || RESNET50_BENCH_BUILD=$build exec \"$checkout/ctest.sh\" \"$@\"\n"
         "done\n"
         "echo \"error: the checkout that $build was made for is gone: call the ctest.sh of another\" >&2\nexit 3\n")
    file(CHMOD "${folder}/ctest.sh" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
         GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endif()
  set(settings "--backend=${BACKEND}" "--registry=${REGISTRY}" "--release=${RELEASE}" "--timeout=${TIMEOUT}")
  add_test(NAME setup_environment COMMAND "${resnet50_bench}" prepare ${settings} WORKING_DIRECTORY "${folder}")
  set_tests_properties(setup_environment PROPERTIES FIXTURES_SETUP environment LABELS setup)
  set(workload_settings ${settings} PARENT_SCOPE)
  set(workload_folder "${folder}" PARENT_SCOPE)
  set(workload "${name}" PARENT_SCOPE)
endfunction()

# add_testcase(<name> <option>): one ctest test; 77 is the exit status for a CPU that cannot run it.
function(add_testcase name option)
  add_test(NAME "test_${name}" COMMAND "${resnet50_bench}" case ${workload_settings} "${option}"
           WORKING_DIRECTORY "${workload_folder}")
  string(REGEX MATCH "^([a-z]+)_([a-z]+)_([a-z0-9]+_[a-z0-9]+)_?(.*)$" parsed "${option}")
  set(labels "${CMAKE_MATCH_1}" "${CMAKE_MATCH_2}" "${CMAKE_MATCH_3}" ${CMAKE_MATCH_4})
  # The case ends itself, and cleans up, at TIMEOUT; ctest's own limit is only a safety net.
  math(EXPR hard_limit "${TIMEOUT} + 120")
  set_tests_properties("test_${name}" PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 77
                       RESOURCE_LOCK cores TIMEOUT ${hard_limit} FIXTURES_REQUIRED environment)
endfunction()
