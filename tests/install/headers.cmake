# Compiles every installed header alone, as the only include of a program, with a strict user's warnings.
# asio.hpp is left out: it needs Asio, which is the includer's choice.
file(GLOB_RECURSE headers RELATIVE ${PREFIX}/include ${PREFIX}/include/*.hpp ${PREFIX}/include/*.h)
list(FILTER headers EXCLUDE REGEX "/asio\\.hpp$")
if(NOT headers)
  message(FATAL_ERROR "no header was installed in ${PREFIX}/include")
endif()
file(MAKE_DIRECTORY ${BINARY_DIR})
foreach(header IN LISTS headers)
  # Twice: the guard is part of standing alone.
  file(WRITE ${BINARY_DIR}/alone.cpp "#include <${header}>\n#include <${header}>\n")
  execute_process(COMMAND ${CXX} -std=c++2b -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
                          -fsyntax-only -I${PREFIX}/include ${BINARY_DIR}/alone.cpp RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(SEND_ERROR "${header} does not stand alone")
  endif()
endforeach()
