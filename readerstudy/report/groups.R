# Two groups of readers on the same cases; read by recompute.R after primary.R. Readers are nested in the groups and
# crossed with the patients (Hillis 2014), each group with a spread of its own (Welch 1947).

LEAST_OF_GROUP <- 3

# NULL where there are not two groups. `values` are scores, or calls: their area is the mean of both kinds' shares.
groups_of <- function(values, truth, patient, group, alpha) {
  # By code points, whatever the language of this computer.
  names <- sort(unique(group[group != ""]), method = "radix")
  if (length(names) != 2) return(NULL)
  known <- list(first = names[1], second = names[2])
  answered <- function(kind) colSums(!is.na(values[truth == kind, , drop = FALSE]))
  counted <- group != "" & answered(0) >= 2 & answered(1) >= 2
  inside <- group[counted] == names[1]
  if (min(sum(inside), sum(!inside)) < LEAST_OF_GROUP) return(known)
  placed <- placements(values[, counted, drop = FALSE], truth)
  areas <- areas_of(placed, truth)
  spread <- spread_of(placed, truth, patient, matrix(1, 2, ncol(placed)))
  known$difference <- mean(areas[inside]) - mean(areas[!inside])
  if (!all(spread$determined)) return(known)
  cov <- crossprod(spread$contributions)
  within <- function(here) (sum(cov[here, here]) - sum(diag(cov)[here])) / (sum(here) * (sum(here) - 1))
  of_cases <- within(inside) + within(!inside) - 2 * mean(cov[inside, !inside])
  # Readers who are all alike leave the rounding of a difference of equal numbers, which is no variance.
  if (of_cases <= 1e-12 * max(cov)) of_cases <- 0
  parts <- c(var(areas[inside]) / sum(inside), var(areas[!inside]) / sum(!inside))
  of_readers <- sum(parts)
  freedom <- if (of_readers == 0) length(areas) - 2 else of_readers^2 / sum(parts^2 / (c(sum(inside), sum(!inside)) - 1))
  variance <- of_readers + of_cases
  if (variance < 1e-20) return(known)
  uncertain <- of_readers^2 / freedom + of_cases^2 / spread$df
  df <- if (uncertain > 0) variance^2 / uncertain else Inf
  c(known, t_of_difference(known$difference, sqrt(variance), df, alpha))
}
