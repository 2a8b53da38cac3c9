// Nothing to call: linked into a program, it tells ThreadSanitizer what reference counts say.
#pragma once
