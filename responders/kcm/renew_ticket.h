/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewal - the conversation with the KDC, which waits for it
 */
#pragma once

#include "common/metrics/metrics.h"
#include "responders/kcm/renew_proto.h"

/* Asks the KDC to renew the ticket and writes the reply, whatever became of it. keytab is the path
 * of the keys with which the new ticket is validated, if that is asked for. */
enum metrics_renewal renew_ticket(const struct renew_request *request, const char *keytab,
                                  struct writer *out);
