package clv

import "math"

// most is the number of parameters of the largest model.
const most = 4

// point is the value, gradient and Hessian of a log-likelihood by the logarithms of the parameters.
type point struct {
	value float64
	grad  [most]float64
	hess  [most][most]float64
}

// summit is where climbing ended.
type summit struct {
	point
	theta      [most]float64
	dims       int
	iterations int
	gradient   float64 // the largest component per customer among those not held at an edge
	edge       [most]bool
}

const (
	steep     = 1e-5  // a gradient per customer below this is flat: the fit has converged
	flat      = 1e-11 // climbing goes on to this, rounding permitting
	maxClimbs = 200
	reach     = 12.0 // logarithms of parameters stay within 1/160,000 and 160,000
	maxStride = 2.0  // of any logarithm in one step
)

func (s *summit) converged() bool { return s.gradient <= steep }

func (s *summit) atEdge() bool {
	for _, e := range s.edge[:s.dims] {
		if e {
			return true
		}
	}
	return false
}

// climb maximises f by Newton's method with damping (Levenberg 1944, Marquardt 1963) on the logarithms of the first dims
// parameters. A parameter that wants to leave the reach is held at its edge. Whether the summit was found is judged by the
// gradient per customer, not by the steps.
func climb(f func([most]float64) point, start [most]float64, dims int, customers float64) summit {
	for i, at := range start {
		start[i] = max(-reach, min(reach, at))
	}
	s := summit{theta: start, dims: dims, point: f(start)}
	damping := 1e-3
	for ; s.iterations < maxClimbs; s.iterations++ {
		s.look(customers)
		if s.gradient <= flat {
			break
		}
		moved := false
		for ; damping < 1e12; damping *= 8 {
			step, ok := s.step(damping)
			if !ok {
				continue
			}
			next := s.theta
			for i := range dims {
				next[i] = max(-reach, min(reach, next[i]+step[i]))
			}
			p := f(next)
			// Rounding may hide the last gains: a smaller gradient at a value equal to rounding is progress too.
			if p.value > s.value || p.value >= s.value-1e-12*(math.Abs(s.value)+customers) && norm(p.grad, dims) < norm(s.grad, dims)/2 {
				s.theta, s.point, moved = next, p, true
				break
			}
		}
		if !moved {
			break
		}
		damping = max(damping/64, 1e-12)
	}
	s.look(customers)
	return s
}

func norm(v [most]float64, dims int) float64 {
	largest := 0.0
	for _, g := range v[:dims] {
		largest = max(largest, math.Abs(g))
	}
	return largest
}

// look finds which parameters press against their edge, and the largest component of the gradient among the others.
func (s *summit) look(customers float64) {
	s.gradient = 0
	for i := range s.dims {
		s.edge[i] = s.theta[i] >= reach && s.grad[i] >= 0 || s.theta[i] <= -reach && s.grad[i] <= 0
		if !s.edge[i] {
			s.gradient = max(s.gradient, math.Abs(s.grad[i])/customers)
		}
	}
}

// step solves (-H + damping·D) step = gradient among the free parameters, D the larger of |diagonal of H| and a trace of
// it, and shortens it to the longest stride. It is not ok where the damped matrix is not positive definite.
func (s *summit) step(damping float64) (step [most]float64, ok bool) {
	m := s.information()
	largest := 0.0
	for i := range s.dims {
		largest = max(largest, math.Abs(m[i][i]))
	}
	for i := range s.dims {
		if !s.edge[i] {
			m[i][i] += damping * max(math.Abs(m[i][i]), 1e-9*largest)
		}
	}
	root, ok := cholesky(m, s.dims)
	if !ok {
		return step, false
	}
	grad := s.grad
	for i, e := range s.edge {
		if e {
			grad[i] = 0
		}
	}
	step = solve(root, grad, s.dims)
	if longest := norm(step, s.dims); longest > maxStride {
		for i := range step {
			step[i] *= maxStride / longest
		}
	}
	return step, true
}

// information is the observed information by logarithms, with those held at an edge cut out (a one on the diagonal).
func (s *summit) information() [most][most]float64 {
	var m [most][most]float64
	for i := range s.dims {
		for j := range s.dims {
			if !s.edge[i] && !s.edge[j] {
				m[i][j] = -s.hess[i][j]
			} else if i == j {
				m[i][j] = 1
			}
		}
	}
	return m
}

// stdErrs are the standard errors of the logarithms, hence relative ones of the parameters: roots of the diagonal of the
// inverse observed information; zero for what was held at an edge, and all zero and not ok where there is no inverse.
func (s *summit) stdErrs() (errs [most]float64, ok bool) {
	root, ok := cholesky(s.information(), s.dims)
	if !ok {
		return errs, false
	}
	for i := range s.dims {
		if s.edge[i] {
			continue
		}
		var unit [most]float64
		unit[i] = 1
		errs[i] = math.Sqrt(solve(root, unit, s.dims)[i])
		if math.IsNaN(errs[i]) || errs[i] > 1e3 {
			return [most]float64{}, false
		}
	}
	return errs, true
}

// cholesky is the lower root of a symmetric matrix, not ok where it is not positive definite to rounding.
func cholesky(m [most][most]float64, dims int) (root [most][most]float64, ok bool) {
	for j := range dims {
		rest := m[j][j]
		for k := range j {
			rest -= root[j][k] * root[j][k]
		}
		if !(rest > 1e-14*math.Abs(m[j][j])) {
			return root, false
		}
		root[j][j] = math.Sqrt(rest)
		for i := j + 1; i < dims; i++ {
			sum := m[i][j]
			for k := range j {
				sum -= root[i][k] * root[j][k]
			}
			root[i][j] = sum / root[j][j]
		}
	}
	return root, true
}

// solve finds x with root·rootᵀ·x = b.
func solve(root [most][most]float64, b [most]float64, dims int) [most]float64 {
	for i := range dims {
		for k := range i {
			b[i] -= root[i][k] * b[k]
		}
		b[i] /= root[i][i]
	}
	for i := dims - 1; i >= 0; i-- {
		for k := i + 1; k < dims; k++ {
			b[i] -= root[k][i] * b[k]
		}
		b[i] /= root[i][i]
	}
	return b
}
