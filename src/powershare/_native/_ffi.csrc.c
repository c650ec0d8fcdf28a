#include "powershare_kernel.h"
