# Adds what each package of Debian has to hold besides its component: copyright, changelogs, compressed man pages.
# CPack runs this between installation and packaging.

string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(READ ${CPACK_TEMPER_SOURCE}/LICENSE license)
file(READ ${CPACK_TEMPER_SOURCE}/framework/train/report/uplot/LICENSE uplot)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(share ${CPACK_TEMPORARY_DIRECTORY}/${component}${CPACK_PACKAGING_INSTALL_PREFIX}/share)
  set(documents ${share}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  file(WRITE ${documents}/copyright "Temper\n\n${license}\nReports contain uPlot:\n\n${uplot}")
  file(WRITE ${documents}/changelog.Debian "temper (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Packages made by CPack. What is new is in changelog.gz.

 -- ${CPACK_PACKAGE_CONTACT}  ${now}
")
  file(COPY_FILE ${CPACK_TEMPER_SOURCE}/CHANGELOG.md ${documents}/changelog)
  file(GLOB texts ${documents}/changelog* ${share}/man/man1/*.1)
  execute_process(COMMAND gzip -9nf ${texts} COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB texts ${documents}/* ${share}/man/man1/*)
  file(CHMOD ${texts} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
