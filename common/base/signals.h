/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Signals - scripts signal by name, and `systemctl kill` all processes of a unit: what one of ours
 * means by HUP, USR1 or USR2 must not end another (design §9)
 */
#pragma once

/* HUP, USR1, USR2 and PIPE are ignored from here on, here and in all programs we start. The first
 * call of each main(): before it, a signal ends the process. */
void signals_calm(void);
