/** Whether somebody is there whom ssh may ask. */
import { closeSync, openSync } from 'node:fs'

/** At a terminal, whatever standard input is: ssh opens it by itself. Or by a window, as the environment says. */
export function maySshAsk(): boolean {
  const { SSH_ASKPASS = '', SSH_ASKPASS_REQUIRE = '', DISPLAY = '' } = process.env
  if (SSH_ASKPASS !== '' && (SSH_ASKPASS_REQUIRE === 'force' || DISPLAY !== '')) return true
  try {
    closeSync(openSync('/dev/tty', 'r+'))
    return true
  } catch {
    return false
  }
}
