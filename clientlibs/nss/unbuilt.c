/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unbuilt - the maps that this library knows by name only: hosts, networks, services, netgroup
 *
 * Distributions write "services: files sss" and "netgroup: sss" into nsswitch.conf, and programs
 * look the functions up, so they are there. Each says UNAVAIL, ENOSYS: what glibc itself takes a
 * service for that it cannot load, h_errno NO_RECOVERY included. It goes on with the next service,
 * and if there is none, the caller is told that nobody could be asked. NOTFOUND would be a definite
 * answer that nobody gave.
 */
#include <errno.h>
#include <netdb.h>

#include "clientlibs/nss/nss.h"

static enum nss_status unbuilt(int *errnop)
{
	*errnop = ENOSYS;
	return NSS_STATUS_UNAVAIL;
}

static enum nss_status unbuilt_host(int *errnop, int *h_errnop)
{
	*h_errnop = NO_RECOVERY;
	return unbuilt(errnop);
}

enum nss_status _nss_sss_gethostbyname_r(const char *name, struct hostent *result, char *buffer,
                                         size_t size, int *errnop, int *h_errnop)
{
	(void)name, (void)result, (void)buffer, (void)size;
	return unbuilt_host(errnop, h_errnop);
}

enum nss_status _nss_sss_gethostbyname2_r(const char *name, int family, struct hostent *result,
                                          char *buffer, size_t size, int *errnop, int *h_errnop)
{
	(void)name, (void)family, (void)result, (void)buffer, (void)size;
	return unbuilt_host(errnop, h_errnop);
}

enum nss_status _nss_sss_gethostbyaddr_r(const void *address, socklen_t address_size, int family,
                                         struct hostent *result, char *buffer, size_t size,
                                         int *errnop, int *h_errnop)
{
	(void)address, (void)address_size, (void)family, (void)result, (void)buffer, (void)size;
	return unbuilt_host(errnop, h_errnop);
}

enum nss_status _nss_sss_sethostent(int stay_open)
{
	(void)stay_open;
	return NSS_STATUS_UNAVAIL;
}

enum nss_status _nss_sss_gethostent_r(struct hostent *result, char *buffer, size_t size,
                                      int *errnop, int *h_errnop)
{
	(void)result, (void)buffer, (void)size;
	return unbuilt_host(errnop, h_errnop);
}

enum nss_status _nss_sss_endhostent(void)
{
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_sss_getnetbyname_r(const char *name, struct netent *result, char *buffer,
                                        size_t size, int *errnop, int *h_errnop)
{
	(void)name, (void)result, (void)buffer, (void)size;
	return unbuilt_host(errnop, h_errnop);
}

enum nss_status _nss_sss_getnetbyaddr_r(uint32_t net, int family, struct netent *result,
                                        char *buffer, size_t size, int *errnop, int *h_errnop)
{
	(void)net, (void)family, (void)result, (void)buffer, (void)size;
	return unbuilt_host(errnop, h_errnop);
}

enum nss_status _nss_sss_setnetent(int stay_open)
{
	(void)stay_open;
	return NSS_STATUS_UNAVAIL;
}

enum nss_status _nss_sss_getnetent_r(struct netent *result, char *buffer, size_t size, int *errnop,
                                     int *h_errnop)
{
	(void)result, (void)buffer, (void)size;
	return unbuilt_host(errnop, h_errnop);
}

enum nss_status _nss_sss_endnetent(void)
{
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_sss_getservbyname_r(const char *name, const char *protocol,
                                         struct servent *result, char *buffer, size_t size,
                                         int *errnop)
{
	(void)name, (void)protocol, (void)result, (void)buffer, (void)size;
	return unbuilt(errnop);
}

enum nss_status _nss_sss_getservbyport_r(int port, const char *protocol, struct servent *result,
                                         char *buffer, size_t size, int *errnop)
{
	(void)port, (void)protocol, (void)result, (void)buffer, (void)size;
	return unbuilt(errnop);
}

enum nss_status _nss_sss_setservent(int stay_open)
{
	(void)stay_open;
	return NSS_STATUS_UNAVAIL;
}

enum nss_status _nss_sss_getservent_r(struct servent *result, char *buffer, size_t size,
                                      int *errnop)
{
	(void)result, (void)buffer, (void)size;
	return unbuilt(errnop);
}

enum nss_status _nss_sss_endservent(void)
{
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_sss_setnetgrent(const char *netgroup, struct __netgrent *result)
{
	(void)netgroup, (void)result;
	return NSS_STATUS_UNAVAIL;
}

enum nss_status _nss_sss_getnetgrent_r(struct __netgrent *result, char *buffer, size_t size,
                                       int *errnop)
{
	(void)result, (void)buffer, (void)size;
	return unbuilt(errnop);
}

enum nss_status _nss_sss_endnetgrent(struct __netgrent *result)
{
	(void)result;
	return NSS_STATUS_SUCCESS;
}
